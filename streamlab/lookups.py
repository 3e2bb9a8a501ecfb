"""Stream-table joins: a lookup for each value of a stream, at the moment at which it is processed.

Nothing is buffered and nothing waits for another side: the lookup is a step before the processors of the joined stream, whose
source reads the one stream side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from streamlab.errors import InvalidType, NotSupported, Skip
from streamlab.events import current_cell, event_of
from streamlab.joined import Joined, joined_class
from streamlab.joins import InnerJoin, LeftJoin
from streamlab.merging import inputs_of
from streamlab.processors import Processor, Processors

if TYPE_CHECKING:
    from streamlab.events import Cell, Event
    from streamlab.joins import Join
    from streamlab.keying import Fields
    from streamlab.opened import OpenedBatch
    from streamlab.streams import Stream

__all__ = ["Lookup", "lookup_of"]

KeyOf = Callable[[Any], Any]


class Lookup:
    """Joins the values of one stream with tables; shared by the clones of a joined stream.

    Parameters
    ----------
    tables : tuple of mappings
        The other sides, in order.
    key_of : callable
        Gives the key of a value that is being processed; None finds nothing.
    keeps_left : bool
        Whether a value without a match comes out, with None in the place of what was not found.
    name : str
        What the step is called.

    Attributes
    ----------
    steps : Processors
        The lookup alone, with its counters: ``skipped`` are the values that an inner join found nothing for.
    """

    def __init__(self, tables: tuple[Mapping[Any, Any], ...], key_of: KeyOf, *, keeps_left: bool, name: str) -> None:
        self.tables = tables
        self.steps = Processors((Processor(self._look_up, name, kind="join"),))
        self._key = key_of
        self._keeps_left = keeps_left
        self._class = _class_of(1 + len(tables))
        self._all_ready = False

    def _look_up(self, value: Any) -> Any:
        """Return the joined value, or what is to be awaited for the first one: no loop is blocked while tables are read."""
        if not self._all_ready:
            return self._when_ready(value)
        key = self._key(value)
        if len(self.tables) == 1:  # as _found does it, without a loop
            match = _MISSING if key is None else self.tables[0].get(key, _MISSING)
            if match is _MISSING:
                if not self._keeps_left:
                    raise Skip
                match = None
            joined = _new(self._class, (value, match))
        else:
            joined = _new(self._class, (value, *self._found(key)))
        joined._found_by, joined._cell = key, current_cell.get()
        return joined

    async def _when_ready(self, value: Any) -> Any:
        for table in self.tables:
            if hasattr(table, "ready"):
                await table.ready()
        self._all_ready = True
        return self._look_up(value)

    def _found(self, key: Any) -> Iterator[Any]:
        for table in self.tables:
            match = _MISSING if key is None else table.get(key, _MISSING)
            if match is _MISSING and not self._keeps_left:
                raise Skip
            yield None if match is _MISSING else match


class _LookedUp(Joined):
    """What a lookup makes: it remembers the record that it was made for, and makes its event when somebody asks for it."""

    _found_by: Any
    _cell: Cell | None

    def light(self, openers: Callable[[OpenedBatch], OpenedBatch]) -> Joined:
        """Return the same to look at later, without its event."""
        copy: Any = _new(type(self), self)
        copy._found_by, copy._cell = self._found_by, None
        return copy  # type: ignore[no-any-return]

    @property
    def key(self) -> Any:
        """What was looked up."""
        return self._found_by

    @property
    def events(self) -> list[Event | None]:
        """The stream's event; tables have none."""
        event = None if self._cell is None else event_of(self._cell)
        return [event, *[None] * (len(self) - 1)]


def _class_of(sides: int) -> Any:
    return type("Joined", (_LookedUp, joined_class(sides)), {"__module__": __name__})


_new: Any = tuple.__new__
_MISSING: Any = object()


def lookup_of(combined: Stream[Any], strategy: Join) -> Lookup:
    """Return the lookup of a combined stream that has a table among its nodes.

    Parameters
    ----------
    combined : Stream
        What the join method was called on.
    strategy : Join
        Of its fields those of the value's class make its key; or a function, for the stream's side; or nothing: the message key.

    Raises
    ------
    InvalidType
        A join that would have to begin at the table's side.
    NotSupported
        More than one stream beside the table.
    """
    if not isinstance(strategy, InnerJoin | LeftJoin):
        raise InvalidType(
            "a table emits nothing by itself, so there is no right or outer join with one: give inner_join(), which drops values "
            "without a match, or left_join(), which keeps them"
        )
    sides = inputs_of(combined)
    if len(sides) != 1:
        names = ", ".join(stream.shortlabel.removeprefix("Stream: ") for stream in sides)
        raise NotSupported(
            f"a table is joined with one stream, not with {names} at once: join the streams first, with within=, then write "
            "joined.combine(table).left_join()"
        )
    keeps_left = isinstance(strategy, LeftJoin)
    tables = {id(table): table for table in _tables(combined)}
    name = "left_join" if keeps_left else "inner_join"
    return Lookup(tuple(tables.values()), _key_of(strategy.fields), keeps_left=keeps_left, name=name)


def _tables(combined: Stream[Any]) -> Iterator[Mapping[Any, Any]]:
    """Yield the tables among the nodes, and those of nodes that only combine."""
    for node in [combined._origin, *combined.combined]:
        if isinstance(node, Mapping):
            yield node
        elif node is not None and node.combined and node.join_strategy is None:
            yield from _tables(node)


def _key_of(fields: Fields) -> KeyOf:
    """Return what picks the key out of a value."""
    if isinstance(fields, tuple):
        return _without_none(fields[0])
    return _by_fields(fields) if fields else _message_key


def _by_fields(groups: Mapping[type, Any]) -> KeyOf:
    chosen: dict[type, KeyOf] = {}

    def key(value: Any) -> Any:
        kind = type(value)
        pick = chosen.get(kind)
        if pick is None:
            group = next((group for model, group in groups.items() if isinstance(value, model)), None)
            pick = chosen[kind] = _message_key if group is None else _picker(group)
        return pick(value)

    return key


def _picker(group: Any) -> KeyOf:
    if not isinstance(group, tuple):
        return _without_none(group)
    return _without_none(lambda value: tuple(field(value) for field in group))


def _without_none(pick: KeyOf) -> KeyOf:
    """Return the same with None for a composite key that has a None in it: it matches nothing, as in SQL."""

    def key(value: Any) -> Any:
        found = pick(value)
        return None if type(found) is tuple and None in found else found

    return key


def _message_key(_value: Any) -> Any:
    cell = current_cell.get()
    return None if cell is None else getattr(cell[0], "key", None)
