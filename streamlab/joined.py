"""What comes out of a join: rows, and those that are on their way through several stages."""

from __future__ import annotations

import math
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamlab.arrivals import Arrival
    from streamlab.events import Event
    from streamlab.opened import OpenedBatch

__all__ = ["Joined", "Partial", "Unhashable", "joined_class"]


class Joined(tuple[Any, ...]):  # noqa: SLOT001 - it has to know more than a tuple can hold
    """One row of a join: the values of its sides in order, None for a side that found no match.

    It unpacks as what it is, ``order, payment = row``, and compares equal to a plain tuple of the values.

    Attributes
    ----------
    left, right : Any
        The first and the last side. Those between them are ``side_2``, ``side_3`` and so on.
    """

    _made: tuple[Any, ...]
    """What caused it, then the arrivals of its sides: one tuple, as a row is made for every pair."""
    left: Any = property(itemgetter(0), doc="The value of the first side; None when it is missing.")
    right: Any = property(itemgetter(-1), doc="The value of the last side; None when it is missing.")

    @property
    def key(self) -> Any:
        """What its values were joined by; None for an unmatched value without a key."""
        key = self._made[0].join_key
        return key.key if isinstance(key, Unhashable) else key

    @property
    def events(self) -> list[Event | None]:
        """The events of its sides, None where there is none; with ``noack()`` it is these that are to be acked."""
        return [None if record is None else record.event for record in self._made[1:]]

    def light(self, openers: Callable[[OpenedBatch], OpenedBatch]) -> Joined:
        """Return the same to look at later, which holds no batch."""
        copy: Joined = tuple.__new__(type(self), self)
        cause, *records = self._made
        light = None if cause.__class__ is Partial else cause.light(openers)
        if light is not None:
            light.join_key = cause.join_key
        copy._made = (light or cause, *(None if record is None else record.light(openers) for record in records))
        return copy

    def __repr__(self) -> str:
        return f"Joined{tuple.__repr__(self)}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles have values and key; what they were read from stays behind."""
        return _joined_again, (tuple(self), self.key)


@lru_cache(maxsize=64)
def joined_class(sides: int) -> type[Joined]:
    """Return the class of the rows of so many sides; these are its fields, as with a named tuple."""
    names = ("left", *(f"side_{number}" for number in range(2, sides)), "right")
    fields: dict[str, Any] = {
        name: property(itemgetter(place), doc=f"The value of side {place + 1}; None when it is missing.")
        for place, name in enumerate(names)
        if not hasattr(Joined, name)
    }
    kind: Any = type("Joined", (Joined,), {"_fields": names, "__match_args__": names, "__module__": __name__, **fields})
    made: type[Joined] = kind
    return made


def _joined_again(values: tuple[Any, ...], key: Any) -> Joined:
    joined = tuple.__new__(joined_class(len(values)), values)
    joined._made = (Partial(math.nan, key, values, (), None), *(None for _ in values))
    return joined


class Unhashable:
    """Stands for a key that no dictionary takes: equal when its parts are."""

    __slots__ = ("key", "parts")

    def __init__(self, key: Any) -> None:
        self.key = key
        self.parts = _parts(key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unhashable) and other.parts == self.parts

    def __hash__(self) -> int:
        return hash(self.parts)


def _parts(key: Any) -> Any:
    if isinstance(key, dict):
        return frozenset((name, _parts(part)) for name, part in key.items())
    if isinstance(key, list | tuple):
        return tuple(map(_parts, key))
    names = getattr(key, "__struct_fields__", None) or getattr(key, "__dataclass_fields__", None)
    return key if names is None else (type(key), *(_parts(getattr(key, name)) for name in names))


class Partial:
    """A row of several sides that goes on to the next stage: its time is that of its latest record."""

    __slots__ = ("cause", "join_key", "met", "records", "timestamp", "values")
    side = 0

    def __init__(
        self, timestamp: float, key: Any, values: tuple[Any, ...], records: tuple[Arrival | None, ...], cause: Arrival | None
    ) -> None:
        self.timestamp = timestamp
        self.join_key = key
        self.values = values
        self.records = records
        self.cause = cause
        self.met = False
