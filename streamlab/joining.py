"""What comes out of a join: one row of it."""

from __future__ import annotations

import math
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamlab.events import Event

__all__ = ["Joined", "joined_class"]

Row = list[Any]
TIME, VALUES, RECORDS, MATCHED, RIGHT, KEY, CAUSE = range(7)


class Joined(tuple[Any, ...]):  # noqa: SLOT001 - fields are added by joined_class
    """One row of a join: the values of its sides in order, None for a side that found no match.

    It unpacks as what it is, ``order, payment = row``, and compares equal to a plain tuple of the values.

    Attributes
    ----------
    left, right : Any
        The first and the last side. A third side and more in between are ``side_2``, ``side_3`` and so on.
    """

    _row: Row

    @property
    def key(self) -> Any:
        """What its values were joined by; None for an unmatched value without a key."""
        return self._row[KEY]

    @property
    def events(self) -> list[Event | None]:
        """The events of its sides, None where there is none: with ``noack()``, these are what is to be acked."""
        return [None if record is None else record.event for record in self._row[RECORDS]]

    def __repr__(self) -> str:
        return f"Joined{tuple.__repr__(self)}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles have values and key; what they were read from stays behind."""
        return _joined_again, (tuple(self), self.key)


@lru_cache(maxsize=64)
def joined_class(sides: int) -> type[Joined]:
    """Return the class of the rows of so many sides; they have these as fields, as a named tuple has."""
    names = ("left", *(f"side_{number}" for number in range(2, sides)), "right")
    fields: dict[str, Any] = {
        name: property(itemgetter(place), doc=f"The value of side {place + 1}; None when it is missing.")
        for place, name in enumerate(names)
    }
    kind: Any = type("Joined", (Joined,), {"_fields": names, "__match_args__": names, "__module__": __name__, **fields})
    made: type[Joined] = kind
    return made


def _joined_again(values: tuple[Any, ...], key: Any) -> Joined:
    joined = tuple.__new__(joined_class(len(values)), values)
    joined._row = [math.nan, values, (None,) * len(values), True, False, key, None]
    return joined
