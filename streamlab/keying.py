"""What streams are joined by, with each other and with tables: fields of their models, functions, or the keys of their messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, Protocol

from streamlab.errors import InvalidType, InvalidValue
from streamlab.models import FieldDescriptor, RecordMeta

__all__ = ["Fields", "Keyed", "KeysByClass", "arranged", "keys_of_sides", "refuse_model"]

Fields = dict[type, Any] | tuple[Callable[[Any], Any], ...]
"""By model: its field, or the fields of a composite key. Functions: one a side."""


class Keyed(Protocol):
    """What has a key to be joined by: an arrival, or a value that is being processed."""

    value: Any

    @property
    def key(self) -> Any:
        """The key of its message; None where there is none."""


PickKey = Callable[[Keyed], Any]

PLAIN = frozenset((int, str))
"""Of a key of these nothing has to be asked."""
message_key: PickKey = attrgetter("key")


class KeysByClass(dict[type, PickKey]):
    """Gives for the class of a value what picks its key."""

    def __init__(self, find: Callable[[type], PickKey]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, kind: type) -> PickKey:
        found = self[kind] = self._find(kind)
        return found


def refuse_model(field: Any) -> None:
    """Raise InvalidType for a Record's class where one of its fields is wanted."""
    if isinstance(field, RecordMeta):
        one = next(iter(field.__struct_fields__), "field")
        raise InvalidType(f"{field.__name__} is a whole model: give one of its fields, such as {field.__name__}.{one}")


def arranged(fields: Iterable[Any]) -> Fields:
    """Group fields by model, in the order given; functions stay a tuple.

    Raises
    ------
    InvalidType
        What is neither a field nor a function, both of them mixed, an asynchronous function, or models with different numbers of fields.
    """
    fields = tuple(fields)
    for field in fields:
        refuse_model(field)
        if not callable(field):
            raise InvalidType(
                f"{field!r} is nothing to join by: give a field of a Record (Order.id), or for each side a function"
            )
    descriptors = [field for field in fields if isinstance(field, FieldDescriptor)]
    if fields and not descriptors:
        return fields
    if len(descriptors) < len(fields):
        raise InvalidType("join by fields of Records, or by functions, one a side: not by both")
    groups: dict[type, tuple[Any, ...]] = {}
    for field in descriptors:
        groups[field.model] = (*groups.get(field.model, ()), field)
    if len(set(map(len, groups.values()))) > 1:
        told = "; ".join(", ".join(field.ident for field in group) for group in groups.values())
        raise InvalidType(f"a key has as many parts on each side, in the same order; these do not match: {told}")
    return {model: group[0] if len(group) == 1 else group for model, group in groups.items()}


def keys_of_sides(fields: Fields, sides: int) -> list[Mapping[type, PickKey]]:
    """Return for each side what picks the keys of its values, by their class. None matches nothing.

    A value of no model among the fields has the key of its message, and so has every one when there are no fields.

    Raises
    ------
    InvalidValue
        Functions, but not one a side.
    """
    if isinstance(fields, dict):  # also an empty one
        by_class = KeysByClass(lambda kind: _picker(fields, kind))
        return [by_class] * sides
    if len(fields) != sides:
        raise InvalidValue(f"{sides} sides are joined by {sides} functions, in their order; {len(fields)} were given")
    return [KeysByClass(lambda _, function=function: _by_function(function)) for function in fields]  # type: ignore[misc] # bound now


def _picker(fields: Mapping[type, Any], kind: type) -> PickKey:
    for model in kind.__mro__:
        if model in fields:
            group = fields[model] if isinstance(fields[model], tuple) else (fields[model],)
            return _composite(group) if len(group) > 1 else _single(group[0])
    return message_key


def _single(field: FieldDescriptor[Any]) -> PickKey:
    if field.parent is None:
        return attrgetter(f"value.{field.field}")
    return lambda keyed: field(keyed.value)


def _composite(group: tuple[FieldDescriptor[Any], ...]) -> PickKey:
    """Return what picks a tuple; None when a part of it is."""

    def pick(keyed: Keyed) -> Any:
        value = keyed.value
        return _whole(tuple(field(value) for field in group))

    return pick


def _whole(key: tuple[Any, ...]) -> tuple[Any, ...] | None:
    return None if any(part is None for part in key) else key


def _by_function(function: Callable[[Any], Any]) -> PickKey:
    def pick(keyed: Keyed) -> Any:
        key = function(keyed.value)
        if key.__class__ in PLAIN:
            return key
        if hasattr(key, "__await__"):
            key.close()
            raise InvalidType(
                "a function to join by is a plain one: what it would have to wait for belongs into a processor before"
            )
        return _whole(key) if isinstance(key, tuple) else key

    return pick
