"""How records become windows: the state of a window, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from streamlab.aggregates import COUNT, END, HELD, OWN, START, Aggregate, Fold, Made, no_merge, parts_of
from streamlab.errors import InvalidType, reason_of
from streamlab.fields import Getter, getter, name_of
from streamlab.texts import shown

__all__ = ["Recipe"]

ALL = ()
"""As ``by=``: no groups."""


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
            made.append(parts_of(aggregate, OWN + len(self._blank)))
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
        return None, no_merge
    if len(parts) == 1:
        return parts[0]
    picks, folds = [pick for pick, _ in parts], [fold for _, fold in parts]

    def fold_all(state: list[Any], found: list[Any]) -> None:
        for fold, one in zip(folds, found, strict=True):
            fold(state, one)

    return lambda value: [pick(value) for pick in picks], fold_all
