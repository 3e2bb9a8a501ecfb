"""Join strategies: what a joined stream was asked to join on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamlab.lookups import Lookup

__all__ = ["InnerJoin", "Join", "LeftJoin", "OuterJoin", "RightJoin"]


class Join:
    """Base of the join strategies.

    Parameters
    ----------
    stream : Stream
        The stream that the join method was called on.
    fields : tuple of FieldDescriptor
        One for each model; the last one of a model wins.
    """

    def __init__(self, *, stream: Any, fields: tuple[Any, ...]) -> None:
        by_field = all(hasattr(field, "model") for field in fields)
        self.fields: Any = {field.model: field for field in fields} if by_field else fields
        self.stream = stream
        self.lookup: Lookup | None = None
        """What looks keys up in tables, of a join with tables."""

    async def process(self, event: Any) -> Any:
        """Join a value with the others; not there yet, as in Faust."""
        raise NotImplementedError(f"{type(self).__name__} describes a join; joining is not there yet")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and other.fields == self.fields and other.stream is self.stream

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        fields = self.fields.values() if isinstance(self.fields, dict) else self.fields
        return f"<{type(self).__name__}: {', '.join(str(field) for field in fields)}>"


class RightJoin(Join):
    """Every value of the last side, with its match if there is one."""


class LeftJoin(Join):
    """Every value of the first side, with its match if there is one."""


class InnerJoin(Join):
    """Pairs only."""


class OuterJoin(Join):
    """Every value of each side, with its match if there is one."""
