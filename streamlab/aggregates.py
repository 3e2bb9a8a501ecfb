"""What a window computes of the values in it, kept up to date value by value."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from streamlab.errors import InvalidType, InvalidValue
from streamlab.fields import Getter, getter, is_there, name_of, number_getter
from streamlab.models import FieldDescriptor

__all__ = ["Aggregate", "Fold", "Made", "no_merge", "parts_of"]

Fold = Callable[[list[Any], Any], None]

COUNT, HELD, KEY, START, END, OWN = range(6)
"""A window's state is a list: how many records, what has to be acked for them, key, first and last millisecond; from OWN on the aggregates' own."""


class Aggregate(NamedTuple):
    """One column of the windows.

    Parameters
    ----------
    name : str
    how : str or callable
        "count", "sum", "mean", "min", "max", or a function of the list of all values.
    field : optional
        What is aggregated: see ``getter``. Without it, the values themselves.
    """

    name: str
    how: str | Callable[[list[Any]], Any]
    field: Any = None

    def __str__(self) -> str:
        computed = f"{name_of(self.how)}({'' if self.field is None else name_of(self.field)})"
        return computed if self.name == "value" else f"{self.name}={computed}"

    @classmethod
    def of(cls, name: str, spec: Any) -> Self:
        """Return what ``agg(name=spec)`` means: a function, "count", or a pair of field and one of these.

        Raises
        ------
        InvalidType, InvalidValue
            It means nothing.
        """
        field, how = spec if isinstance(spec, tuple) and len(spec) == len(("field", "how")) else (None, spec)
        if isinstance(how, FieldDescriptor):
            raise InvalidValue(f"{name}={spec!r} has its parts the wrong way round: give ({how.ident}, {field!r})")
        if inspect.iscoroutinefunction(how):
            raise InvalidType(f"{name}: a window cannot await {name_of(how)}(): await it in a processor of the windows")
        if not callable(how) and how not in KINDS:
            raise InvalidValue(
                f"{name}={spec!r} is no aggregate: give (Order.price, how), where how is one of {', '.join(KINDS)} "
                'or a function of the list of values; or "count", or such a function alone'
            )
        if field is None and isinstance(how, str) and how != "count":
            raise InvalidValue(f"{name}={how!r} does not say of what: give (Order.price, {how!r})")
        return cls(name, how, field)


class Made(NamedTuple):
    """The parts of an aggregate, for its place in the state."""

    pick: Getter | None
    fold: Fold | None
    blank: Sequence[Any]
    merge: Callable[[list[Any], list[Any]], None]
    result: Callable[[list[Any]], Any]


def no_merge(_into: list[Any], _other: Any) -> None:
    """Do nothing: records are counted anyway."""


def _counting(at: int, field: Any) -> Made:
    if field is None:
        return Made(None, None, (), no_merge, operator.itemgetter(COUNT))

    def fold(state: list[Any], value: Any) -> None:
        if is_there(value):
            state[at] += 1

    return Made(getter(field), fold, (0,), _add(at), operator.itemgetter(at))


def _plus(one: Any, other: Any) -> Any:
    """Add what may be a Decimal and a float."""
    try:
        return one + other
    except TypeError:
        return float(one) + float(other)


def _add(at: int) -> Callable[[list[Any], list[Any]], None]:
    def merge(into: list[Any], other: list[Any]) -> None:
        into[at] = _plus(into[at], other[at])

    return merge


def _summing(at: int, field: Any) -> Made:
    def fold(state: list[Any], value: Any) -> None:
        if value is not None:
            try:
                state[at] += value
            except TypeError:
                state[at] = _plus(state[at], value)

    return Made(number_getter(field), fold, (0,), _add(at), operator.itemgetter(at))


def _mean(at: int, field: Any) -> Made:
    numbers = at + 1
    total = _summing(at, field)
    assert total.fold is not None
    add = total.fold

    def fold(state: list[Any], value: Any) -> None:
        if value is not None:
            add(state, value)
            state[numbers] += 1

    def merge(into: list[Any], other: list[Any]) -> None:
        total.merge(into, other)
        into[numbers] += other[numbers]

    return Made(total.pick, fold, (0, 0), merge, lambda state: state[at] / state[numbers] if state[numbers] else None)


def _smallest(at: int, field: Any) -> Made:
    def fold(state: list[Any], value: Any) -> None:
        if value is not None:
            best = state[at]
            if best is None or value < best:
                state[at] = value

    return Made(number_getter(field), fold, (None,), lambda into, other: fold(into, other[at]), operator.itemgetter(at))


def _largest(at: int, field: Any) -> Made:
    def fold(state: list[Any], value: Any) -> None:
        if value is not None:
            best = state[at]
            if best is None or value > best:
                state[at] = value

    return Made(number_getter(field), fold, (None,), lambda into, other: fold(into, other[at]), operator.itemgetter(at))


KINDS: Mapping[str, Callable[[int, Any], Made]] = {
    "count": _counting,
    "sum": _summing,
    "mean": _mean,
    "min": _smallest,
    "max": _largest,
}


def _calling(at: int, function: Callable[[list[Any]], Any], field: Any) -> Made:
    """Keep the values, and call the function with all of them."""

    def keep(state: list[Any], value: Any) -> None:
        if state[at] is None:
            state[at] = []
        state[at].append(value)

    def keep_present(state: list[Any], value: Any) -> None:
        if is_there(value):
            keep(state, value)

    def merge(into: list[Any], other: list[Any]) -> None:
        into[at] = [*(into[at] or ()), *(other[at] or ())]

    pick = (lambda value: value) if field is None else getter(field)
    fold = keep if field is None else keep_present
    return Made(pick, fold, (None,), merge, lambda state: function(list(state[at] or ())))


def parts_of(aggregate: Aggregate, at: int) -> Made:
    """Return the parts of an aggregate whose state begins at this place."""
    how = aggregate.how
    return KINDS[how](at, aggregate.field) if isinstance(how, str) else _calling(at, how, aggregate.field)
