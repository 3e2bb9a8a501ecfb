"""Join strategies: what a joined stream was asked to join, by what, and within which time."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from streamlab.durations import idle_s, length_s
from streamlab.errors import InvalidType, InvalidValue
from streamlab.join_stages import Rules
from streamlab.joining import JoinEngine
from streamlab.keying import Fields, arranged, keys_of_sides
from streamlab.models import FieldDescriptor

if TYPE_CHECKING:
    from datetime import timedelta

    from streamlab.lookups import Lookup

__all__ = ["InnerJoin", "Join", "JoinOptions", "LeftJoin", "OuterJoin", "RightJoin", "refuse_unknown"]


class JoinOptions(TypedDict, total=False):
    """What the join methods take by name; see ``Join``."""

    within: float | timedelta | str | None
    grace: float | timedelta | str
    max_per_key: int | None
    idle: float | timedelta | str | None


def refuse_unknown(options: Collection[str]) -> None:
    """Raise InvalidType for an option that joins do not have."""
    known = JoinOptions.__annotations__
    for name in options:
        if name not in known:
            raise InvalidType(f"a join has no option {name}=: its options are {', '.join(known)}")


class Join:
    """Base of the join strategies.

    Parameters
    ----------
    stream : Stream
        The stream that the join method was called on.
    fields : tuple
        What to join by: fields of Records, or a function for each side; the keys of the messages when it is empty.
    within : float, timedelta or str, optional
        The longest time between two records of a pair, in seconds; ``app.conf.join_within`` by default, ``math.inf`` for any.
    grace : float, timedelta or str
        How much later windows close.
    max_per_key : int, optional
        So many records of a key are kept on each side.
    idle : float, timedelta or str, optional
        Close all windows when nothing has come for so many seconds of wall-clock time.

    Attributes
    ----------
    fields : dict or tuple
        As Faust has it: by model, its field, or a tuple of several; functions are a tuple.
    """

    keeps_left: ClassVar[bool] = False
    keeps_right: ClassVar[bool] = False

    def __init__(
        self,
        *,
        stream: Any,
        fields: tuple[Any, ...],
        within: float | timedelta | str | None = None,
        grace: float | timedelta | str = 0.0,
        max_per_key: int | None = None,
        idle: float | timedelta | str | None = None,
    ) -> None:
        self.fields: Fields = arranged(fields)
        self.stream = stream
        self.within_s = length_s("within", stream.app.conf.join_within if within is None else within)
        self.grace_s = length_s("grace", grace)
        self.idle_s = idle_s(idle)
        if max_per_key is not None and (type(max_per_key) is not int or max_per_key < 1):
            raise InvalidValue(
                f"max_per_key={max_per_key!r} would keep nothing to join: give a whole number of 1 or more, or None for no limit"
            )
        self.max_per_key = max_per_key
        self.is_timed = bool(grace) or any(option is not None for option in (within, max_per_key, idle))
        """Whether it was told anything about windows."""
        self.lookup: Lookup | None = None
        """What looks keys up in tables, of a join with tables."""

    @property
    def keeps_any(self) -> bool:
        """Whether anything that is unmatched comes out."""
        return self.keeps_left or self.keeps_right

    def check(self, sides: int) -> None:
        """Raise InvalidValue for functions that are not one a side."""
        keys_of_sides(self.fields, sides)

    def engine(self, sides: int) -> JoinEngine:
        """Return what joins so many sides."""
        rules = Rules(self.keeps_left, self.keeps_right, self.within_s, self.grace_s, self.max_per_key)
        return JoinEngine(keys_of_sides(self.fields, sides), rules)

    async def process(self, event: Any) -> Any:
        """Return the value as it is: the stream's source has joined it already."""
        return event

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and other.fields == self.fields and other.stream is self.stream

    __hash__ = object.__hash__

    def __str__(self) -> str:
        """By what and within which time, for people."""
        parts = self.fields.values() if isinstance(self.fields, dict) else self.fields
        by = ", ".join(map(_called, parts)) or "the key"
        if self.lookup is not None:
            return f"on {by}"
        grace = f" grace {self.grace_s:g} s" if self.grace_s else ""
        most = "" if self.max_per_key is None else f" max_per_key {self.max_per_key:,}"
        idle = "" if self.idle_s is None else f" idle {self.idle_s:g} s"
        return f"on {by} within {self.within_s:g} s{grace}{most}{idle}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


class RightJoin(Join):
    """Pairs, and what is unmatched on the last side."""

    keeps_right = True


class LeftJoin(Join):
    """Pairs, and what is unmatched on the first side."""

    keeps_left = True


class InnerJoin(Join):
    """Pairs only."""


class OuterJoin(Join):
    """Pairs, and what is unmatched on any side."""

    keeps_left = keeps_right = True


def _called(part: Any) -> str:
    if isinstance(part, tuple):
        return "+".join(map(_called, part))
    return part.ident if isinstance(part, FieldDescriptor) else getattr(part, "__name__", "function")
