"""What is aggregated or grouped by: fields of values, found by a descriptor, a name or a function."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from streamlab.errors import InvalidType
from streamlab.keying import refuse_model
from streamlab.texts import shown

__all__ = ["Getter", "getter", "is_there", "name_of", "number_getter"]

Getter = Callable[[Any], Any]
NUMBERS = (int, float, Decimal)


def name_of(field: Any) -> str:
    """Return what a field is called in errors and graphs."""
    if isinstance(field, str):
        return field
    if isinstance(field, tuple):
        return ", ".join(map(name_of, field))
    return str(getattr(field, "ident", None) or getattr(field, "__name__", None) or field)


def getter(field: Any) -> Getter:
    """Return what picks a field out of a value; several fields as a tuple.

    Parameters
    ----------
    field : field descriptor, str, callable or tuple of these
        A name is that of a dict's entry, None where it has none, or of an attribute; "user.city" is one in another, unless there is one
        of that name. A descriptor's field of None is None.

    Raises
    ------
    InvalidType
        Anything else, or a coroutine function.
    """
    if isinstance(field, tuple):
        parts = [getter(part) for part in field]
        return lambda value: tuple([part(value) for part in parts])
    if isinstance(field, str):
        return _named(field)
    if inspect.iscoroutinefunction(field):
        raise InvalidType(f"a window cannot await {name_of(field)}(): put what it looks up into the value, in a processor before")
    refuse_model(field)
    if not callable(field):
        raise InvalidType(f"a field is Order.price, a name, or a function of the value; not {field!r}")
    path: tuple[str, ...] | None = getattr(field, "path", None)
    return field if path is None or len(path) > 1 else _attribute(path[0], field)


def _named(name: str) -> Getter:
    def pick(value: Any) -> Any:
        if isinstance(value, Mapping):
            return value.get(name)
        return None if value is None else getattr(value, name)

    if "." not in name:
        return pick
    parts = [_named(part) for part in name.split(".")]

    def walk(value: Any) -> Any:
        if isinstance(value, Mapping) and name in value:
            return value[name]
        for part in parts:
            value = part(value)
        return value

    return walk


def _attribute(name: str, field: Getter) -> Getter:
    """Pick a field as its descriptor does, the quick way."""
    quick = operator.attrgetter(name)

    def pick(value: Any) -> Any:
        try:
            return quick(value)
        except AttributeError:
            return field(value)

    return pick


def number_getter(field: Any) -> Getter:
    """Return what picks a number out of a value: None where it is missing, an error for anything else."""
    pick, name = getter(field), name_of(field)

    def number(value: Any) -> Any:
        found = pick(value)
        kind = type(found)
        if kind is int or (kind is float and found == found):  # noqa: PLR0124 - NaN is not itself
            return found
        if not is_there(found):
            return None
        if isinstance(found, NUMBERS) or hasattr(found, "__float__"):
            return found
        raise InvalidType(
            f"{name} is {shown(found)}, which is no number: leave such values out with filter(), or make a number of them in a processor"
        )

    return number


def is_there(value: Any) -> bool:
    """Tell whether a value is not missing: neither None nor NaN."""
    return value is not None and not (isinstance(value, NUMBERS) and value != value)  # noqa: PLR0124 - NaN is not itself
