"""Stream-table joins: a lookup for each value of a stream, at the moment at which it is processed.

Nothing is buffered and nothing waits for another side: the lookup is a step before the processors of the joined stream, whose
source reads the streams beside the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

from streamlab.errors import InvalidType, InvalidValue, Skip
from streamlab.events import current_cell, event_of
from streamlab.joined import Joined, joined_class
from streamlab.joins import InnerJoin, LeftJoin
from streamlab.keying import keys_of_sides
from streamlab.processors import Processor, Processors
from streamlab.texts import shown

if TYPE_CHECKING:
    from streamlab.events import Cell, Event
    from streamlab.joins import Join
    from streamlab.keying import Keyed
    from streamlab.opened import OpenedBatch
    from streamlab.streams import Stream

__all__ = ["Lookup", "lookup_of", "tables_of"]


class Lookup:
    """Joins the values of a stream with tables; shared by the clones of a joined stream.

    Parameters
    ----------
    tables : tuple of mappings
        The other sides, in order.
    keys : mapping of type to callable
        By the class of a value: what gives its key. None finds nothing.
    keeps_left : bool
        Whether a value without a match comes out, with None in the place of what was not found.
    name : str
        What the step is called.

    Attributes
    ----------
    steps : Processors
        The lookup alone.
    """

    def __init__(
        self, tables: tuple[Mapping[Any, Any], ...], keys: Mapping[type, Callable[[Keyed], Any]], *, keeps_left: bool, name: str
    ) -> None:
        self.tables = tables
        self.steps = Processors((Processor(self._look_up, name, kind="join"),))
        self._keys = keys
        self._keeps_left = keeps_left
        self._class = _class_of(1 + len(tables))
        self._all_ready = False
        self._matched = self._unmatched = 0

    def counters(self) -> dict[str, int]:
        """Return how many values found all that they looked for, and how many did not."""
        return {"matched": self._matched, "unmatched": self._unmatched}

    def apart(self) -> Callable[[Any], Any]:
        """Return the same function with counters of its own."""
        return copy(self)._look_up

    def _look_up(self, value: Any) -> Any:
        """Return the joined value, or what is to be awaited for the first one: no loop is blocked while tables are read."""
        if not self._all_ready:
            return self._when_ready(value)
        key = self._keys[value.__class__](_InWork(value))
        try:
            if len(self.tables) == 1:  # as below, without a loop
                match = _MISSING if key is None else self.tables[0].get(key, _MISSING)
                found = match is not _MISSING
                values = (value, match if found else None)
            else:
                matches = [_MISSING if key is None else table.get(key, _MISSING) for table in self.tables]
                found = all(match is not _MISSING for match in matches)
                values = (value, *(None if match is _MISSING else match for match in matches))
        except TypeError as error:
            raise _refused(key, error) from None
        self._matched += found
        self._unmatched += not found
        if not found and not self._keeps_left:
            raise Skip
        joined = _new(self._class, values)
        joined._found_by, joined._cell = key, current_cell.get()
        return joined

    async def _when_ready(self, value: Any) -> Any:
        for table in self.tables:
            if hasattr(table, "ready"):
                await table.ready()
        self._all_ready = True
        return self._look_up(value)


def _refused(key: Any, error: TypeError) -> TypeError:
    """Return what is to be said when a table does not take a key."""
    try:
        hash(key)
    except TypeError:
        return InvalidType(
            f"{shown(key)} is no key of a table ({error}): look up a text, a number, a Record, or for a composite key a tuple of these"
        )
    return error


class _InWork:
    """A value that is being processed."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    @property
    def key(self) -> Any:
        """The key of its message; None for a plain value."""
        cell = current_cell.get()
        return None if cell is None else getattr(cell[0], "key", None)


class _LookedUp(Joined):
    """What a lookup makes: it remembers the record that it was made for, and makes its event when somebody asks for it."""

    _found_by: Any
    _cell: Cell | None

    def light(self, openers: Callable[[OpenedBatch], OpenedBatch]) -> Joined:
        """Return the same to look at later, without its event."""
        light: Any = _new(type(self), self)
        light._found_by, light._cell = self._found_by, None
        return light  # type: ignore[no-any-return]

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
        What the join method was called on. Several streams beside the tables are read as one: each value of any is looked up.
    strategy : Join
        Of its fields those of the value's class make its key; or a function of the value; or nothing: the message key.

    Raises
    ------
    InvalidType
        A join that would have to begin at the table's side.
    InvalidValue
        Several functions, or what is for windows only.
    """
    if not isinstance(strategy, InnerJoin | LeftJoin):
        raise InvalidType(
            "a table emits nothing by itself, so there is no right or outer join with one: give inner_join(), which drops values "
            "without a match, or left_join(), which keeps them"
        )
    if strategy.is_timed:
        raise InvalidValue(
            "a table is looked up at once, so within=, grace=, idle= and max_per_key= say nothing there. To join streams with "
            "each other, within a time, and the rows with a table: (a & b).inner_join(..., within=10).combine(table).left_join()"
        )
    if isinstance(strategy.fields, tuple) and len(strategy.fields) > 1:
        raise InvalidValue(
            f"a table is looked up with one key, so left_join() and inner_join() take one function, of the stream's value; "
            f"{len(strategy.fields)} were given. For a composite key return a tuple"
        )
    keeps_left = isinstance(strategy, LeftJoin)
    name = "left_join" if keeps_left else "inner_join"
    (keys,) = keys_of_sides(strategy.fields, 1)
    return Lookup(tuple(tables_of(combined).values()), keys, keeps_left=keeps_left, name=name)


def tables_of(combined: Stream[Any]) -> dict[int, Mapping[Any, Any]]:
    """Return the tables among the nodes, and those of nodes that only combine, by their ids."""
    found: dict[int, Mapping[Any, Any]] = {}
    for node in [combined._origin, *combined.combined]:
        if isinstance(node, Mapping):
            found[id(node)] = node
        elif node is not None and node.combined and node.join_strategy is None:
            found |= tables_of(node)
    return found
