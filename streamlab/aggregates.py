"""What a window computes of the values in it, kept up to date value by value."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Self

from streamlab.errors import InvalidType, InvalidValue, reason_of
from streamlab.keying import refuse_model
from streamlab.models import FieldDescriptor
from streamlab.texts import shown

__all__ = ["Aggregate", "Recipe", "getter", "name_of"]

Getter = Callable[[Any], Any]
Fold = Callable[[list[Any], Any], None]

COUNT, HELD, KEY, START, END, OWN = range(6)
"""A window's state is a list: how many records, what has to be acked for them, key, first and last millisecond; from OWN on the aggregates' own."""
ALL = ()
"""As ``by=``: no groups."""
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


def _number(field: Any) -> Getter:
    """Return what picks a number out of a value: None where it is missing, an error for anything else."""
    pick, name = getter(field), name_of(field)

    def number(value: Any) -> Any:
        found = pick(value)
        kind = type(found)
        if kind is int or (kind is float and found == found):  # noqa: PLR0124 - NaN is not itself
            return found
        if not _is_there(found):
            return None
        if isinstance(found, NUMBERS) or hasattr(found, "__float__"):
            return found
        raise InvalidType(
            f"{name} is {shown(found)}, which is no number: leave such values out with filter(), or make a number of them in a processor"
        )

    return number


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


def _no_merge(_into: list[Any], _other: Any) -> None:
    """Do nothing: records are counted anyway."""


def _counting(at: int, field: Any) -> Made:
    if field is None:
        return Made(None, None, (), _no_merge, operator.itemgetter(COUNT))

    def fold(state: list[Any], value: Any) -> None:
        if _is_there(value):
            state[at] += 1

    return Made(getter(field), fold, (0,), _add(at), operator.itemgetter(at))


def _is_there(value: Any) -> bool:
    return value is not None and not (isinstance(value, NUMBERS) and value != value)  # noqa: PLR0124 - NaN is not itself


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

    return Made(_number(field), fold, (0,), _add(at), operator.itemgetter(at))


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

    return Made(_number(field), fold, (None,), lambda into, other: fold(into, other[at]), operator.itemgetter(at))


def _largest(at: int, field: Any) -> Made:
    def fold(state: list[Any], value: Any) -> None:
        if value is not None:
            best = state[at]
            if best is None or value > best:
                state[at] = value

    return Made(_number(field), fold, (None,), lambda into, other: fold(into, other[at]), operator.itemgetter(at))


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
        if _is_there(value):
            keep(state, value)

    def merge(into: list[Any], other: list[Any]) -> None:
        into[at] = [*(into[at] or ()), *(other[at] or ())]

    pick = (lambda value: value) if field is None else getter(field)
    fold = keep if field is None else keep_present
    return Made(pick, fold, (None,), merge, lambda state: function(list(state[at] or ())))


class Recipe:
    """How records become windows: by which key, and which aggregates.

    Parameters
    ----------
    by : optional
        What the key is: see ``getter``. None is the message's key, ``()`` one group for all, whose key is None.
    aggregates : sequence of Aggregate
    make : callable
        Makes a window of key, start and end in seconds, count, and the aggregates in order.
    """

    def __init__(self, by: Any, aggregates: Sequence[Aggregate], make: Callable[..., Any]) -> None:
        self.key: Getter | None = None if by is None else (lambda _: None) if by == ALL else getter(by)
        self.key_name = "the message's key" if by is None else name_of(by)
        self.aggregates = tuple(aggregates)
        self._blank: list[Any] = []
        made: list[Made] = []
        for aggregate in aggregates:
            made.append(_parts(aggregate, OWN + len(self._blank)))
            self._blank += made[-1].blank
        self.pick, self.fold = _together([(part.pick, part.fold) for part in made if part.pick and part.fold])
        self._merges = [part.merge for part in made]
        self._results = [part.result for part in made]
        self._make = make

    def begin(self, key: Any, start_ms: int, end_ms: int) -> list[Any]:
        """Return the state of a window without records."""
        if hasattr(key, "__await__"):
            key.close()
            raise InvalidType(
                f"{self.key_name} would have to be awaited: put what it looks up into the value, in a processor before"
            )
        return [0, None, key, start_ms, end_ms, *self._blank]

    def merge(self, into: list[Any], other: list[Any]) -> None:
        """Add the state of another window of the same key, which gives up its records."""
        into[COUNT] += other[COUNT]
        into[START], into[END] = min(into[START], other[START]), max(into[END], other[END])
        if other[HELD]:
            into[HELD] = [*(into[HELD] or ()), *other[HELD]]
        for merge in self._merges:
            merge(into, other)
        other[HELD] = None

    def window(self, state: list[Any]) -> Any:
        """Return the window that a state is now.

        Raises
        ------
        Exception
            Whatever a function of the user's raises.
        """
        count, _, key, start_ms, end_ms = state[:OWN]
        return self._make(key, start_ms / 1000, end_ms / 1000, count, *[result(state) for result in self._results])

    def refused(self, key: Any, error: Exception) -> InvalidType:
        """Return the error for a key that cannot be one."""
        return InvalidType(
            f"{self.key_name} is {shown(key)}, by which nothing can be grouped ({reason_of(error)}): "
            "give by= a field or a function whose values are texts, numbers or Records"
        )


def _together(parts: Sequence[tuple[Getter, Fold]]) -> tuple[Getter | None, Fold]:
    """Return what picks all that is needed out of a value before anything is changed, and what adds that to a state."""
    if not parts:
        return None, _no_merge
    if len(parts) == 1:
        return parts[0]
    picks, folds = [pick for pick, _ in parts], [fold for _, fold in parts]

    def fold_all(state: list[Any], found: list[Any]) -> None:
        for fold, one in zip(folds, found, strict=True):
            fold(state, one)

    return lambda value: [pick(value) for pick in picks], fold_all


def _parts(aggregate: Aggregate, at: int) -> Made:
    how = aggregate.how
    return KINDS[how](at, aggregate.field) if isinstance(how, str) else _calling(at, how, aggregate.field)
