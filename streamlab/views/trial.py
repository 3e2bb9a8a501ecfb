"""A function tried on the last messages of a stream, as it would run as a processor; nothing of the stream changes."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from time import perf_counter
from typing import TYPE_CHECKING, Any

from streamlab.baskets import Basket, KeptRecord
from streamlab.batch import Batch
from streamlab.describing import made_by
from streamlab.errors import InvalidState, InvalidType, InvalidValue, Skip
from streamlab.events import current_cell, tried
from streamlab.loops import Loop
from streamlab.markup import Html, alarming, block, card, dim, section
from streamlab.processors import name_of, refuse_generator
from streamlab.texts import clean, said
from streamlab.tracebacks import places_of, trimmed
from streamlab.views import in_time, session
from streamlab.views.cells import cell
from streamlab.views.rows import Row
from streamlab.views.window import Window

if TYPE_CHECKING:
    import pandas as pd

    from streamlab.streams import Stream

__all__ = ["MESSAGES", "Outcome", "Preview", "preview"]

Function = Callable[[Any], Any]
UNNAMED = "<lambda>"
MESSAGES = 1_000
SHOWN = 10
SHORT = 300
WRITING = frozenset(("echo", "through", "group_by"))
"""Processors of these kinds write; a trial passes them by."""


@dataclass
class Outcome:
    """What became of one message.

    Attributes
    ----------
    row : Row
    before : str
        The value before the function, short.
    after : Any
        What came out of it.
    shown : str
        That, short, as it was then: functions may go on with an object that they returned.
    error : BaseException or None
        What it raised, or a processor before it did.
    status : str
        "ok", "skipped" or "error"; "before" when a processor before it skipped the value or failed.
    """

    row: Row
    before: str = ""
    after: Any = None
    shown: str = ""
    error: BaseException | None = None
    status: str = "ok"

    @property
    def traceback(self) -> str:
        """Where the error comes from, in the user's code, as text; empty without an error."""
        return "" if self.error is None else trimmed(self.error, places_of(self.error))


@dataclass
class Preview:
    """What a function made of messages; shows itself as a table: totals, the first errors, the first results.

    Attributes
    ----------
    name : str
        Of the function.
    asked : int
        How many messages it was to be tried on.
    outcomes : list of Outcome
        One a message, oldest first.
    seconds : float
        Time spent in the function, in all.
    unfinished : bool
        Whether the time was over before all messages were through.
    """

    name: str
    asked: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    unfinished: bool = False

    def count(self, status: str) -> int:
        """Return how many messages ended like that: "ok", "skipped", "error", or "before" its place."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def errors(self) -> list[Outcome]:
        """Those on which the function failed."""
        return [outcome for outcome in self.outcomes if outcome.status == "error"]

    def to_frame(self, *, depth: int = 3) -> pd.DataFrame:
        """Return what came out of the messages that went well, as a batch's frame.

        Parameters
        ----------
        depth : int
            Nested objects become dotted columns down to here.

        Returns
        -------
        DataFrame
            A row a value: index partition and offset, then timestamp (UTC), key, and the values' fields.
        """
        basket = Basket()
        for outcome in self.outcomes:
            if outcome.status == "ok":
                row = outcome.row
                item = row.event if row.event is not None else row.raw_value
                basket.add(outcome.after, item if row.opened is None else _kept(row), row.opened)
        return Batch(basket.gathered, basket).to_frame(depth=depth)

    @property
    def summary(self) -> str:
        """One line: how many went well, were skipped and failed, and how long one takes."""
        tried = len(self.outcomes)
        parts = [f"{self.count('ok'):,} ok", f"{self.count('skipped'):,} skipped", f"{self.count('error'):,} errors"]
        if before := self.count("before"):
            parts.append(f"{before:,} did not reach it")
        reached = tried - before
        each = f", {_lasting(self.seconds / reached)} each" if reached else ""
        late = f"; stopped after {tried:,} of {self.asked:,} messages: {in_time.LIMIT_S:g} s were over" if self.unfinished else ""
        return f"{', '.join(parts)}{each}{late}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name} on {len(self.outcomes):,} messages: {self.summary}>"

    def _repr_html_(self) -> str:
        errors, went = self.errors, [found for found in self.outcomes if found.status in ("ok", "skipped")]
        failed = [(_place(found.row), found.before, _said(found)) for found in errors[:SHOWN]]
        passed = [
            (_place(found.row), found.before, "skipped" if found.status == "skipped" else found.shown) for found in went[:SHOWN]
        ]
        head = alarming(self.summary) if failed else Html(dim(self.summary))
        return card(
            "Preview",
            f"{self.name} on {len(self.outcomes):,} messages",
            head,
            section(_first("Errors", len(errors)), failed, ("message", "before", "error")),
            block(errors[0].traceback) if errors else "",
            section(_first("Results", len(went)), passed, ("message", "before", "after")),
        )


def _first(what: str, count: int) -> str:
    return what if count <= SHOWN else f"{what}, the first {SHOWN} of {count:,}"


def _lasting(seconds: float) -> str:
    """Return a time in a unit that suits it."""
    unit, size = next((each for each in (("s", 1.0), ("ms", 1e-3)) if seconds >= each[1]), ("µs", 1e-6))
    return f"{seconds / size:,.1f} {unit}"


def _place(row: Row) -> str:
    return f"{row.partition} / {row.offset}" if row.offset is not None else str(row.seq)


def _said(outcome: Outcome) -> str:
    return "" if outcome.error is None else said(outcome.error)


def short(value: Any) -> str:
    """Return the beginning of a value's text."""
    return clean(cell(value)[1], SHORT)


def preview(stream: Stream[Any], function: Function, *, n: int = MESSAGES, name: str | None = None) -> Preview:
    """See ``Stream.preview``."""
    if not callable(function):
        raise InvalidType(f"preview() takes a function of one value, not {function!r}")
    refuse_generator(function)
    if not isinstance(n, int) or n < 1:
        raise InvalidValue(f"preview tries a function on the last n messages, n at least 1; not {n!r}")
    place = name or name_of(function)
    rows, before = _latest(stream, n), _before(stream, "" if place == UNNAMED else place)
    trying = Preview(place)

    async def work() -> None:
        tried.set(stream)
        await _try(rows, before, function, trying)

    in_time.in_a_thread(lambda: asyncio.run(work()))
    outcomes = list(trying.outcomes)  # what comes too late is not shown
    return Preview(place, len(rows), outcomes, trying.seconds, len(outcomes) < len(rows))


def _latest(stream: Stream[Any], n: int) -> list[Row]:
    """Return the last messages of the window; of the topic, when the stream is not shown."""
    shown = session.find(stream)
    if shown is not None and shown.window.messages:
        return shown.window.latest(n)
    peek = None if stream.combined else getattr(stream.channel, "peek", None)
    if peek is None:
        raise InvalidState(f"there are no messages to try it on: {_advice(stream)}")
    window = Window(n)
    window.append(peek(n).basket)
    return window.latest(n)


def _advice(stream: Stream[Any]) -> str:
    if not stream.combined:
        return "show the stream first, then preview what came since"
    return (
        f"this stream is made of others ({clean(made_by(stream))}), so that no topic has its values. Show it first, as the last line of a "
        "cell, then preview what came since. Nothing comes? Give the streams that it is made of start=-1000, or a time"
    )


def _before(stream: Stream[Any], name: str) -> list[Function]:
    """Return the functions of the processors that a processor of this name would come after."""
    lookup = [] if stream._lookup is None else [stream._lookup.apart()]
    before = takewhile(lambda entry: entry.name != name, stream.processors)
    return lookup + [entry.function for entry in before if entry.enabled and entry.kind not in WRITING]


async def _try(rows: Sequence[Row], before: Iterable[Function], function: Function, found: Preview) -> None:
    until, loop = perf_counter() + in_time.LIMIT_S, Loop()
    for row in rows:
        if perf_counter() > until:
            return
        outcome = Outcome(row)
        seconds = 0.0
        try:
            value = _source_value(row)
            current_cell.set((row.event, _kept(row), value, row.opened, loop) if row.opened is not None or row.event else None)
            for earlier in before:
                value = await _result(earlier, value, until)
        except BaseException as error:  # noqa: BLE001 - whatever user's code raises is what is to be seen
            outcome.status, outcome.error = "before", error
        else:
            outcome.before = short(value)
            began = perf_counter()
            outcome.status, outcome.after, outcome.error = await _outcome(function, value, until)
            seconds = perf_counter() - began
            outcome.shown = short(outcome.after) if outcome.status == "ok" else ""
        found.seconds += seconds
        found.outcomes.append(outcome)


async def _outcome(function: Function, value: Any, until: float) -> tuple[str, Any, BaseException | None]:
    try:
        return "ok", await _result(function, value, until), None
    except Skip:
        return "skipped", None, None
    except BaseException as error:  # noqa: BLE001 - as above
        return "error", None, error


async def _result(function: Function, value: Any, until: float) -> Any:
    result = function(value)
    if hasattr(result, "__await__"):
        limit = asyncio.timeout(max(until - perf_counter(), 0.0))
        try:
            async with limit:
                return await result
        except TimeoutError:
            if limit.expired():
                raise in_time.TimeIsOver from None
            raise
    return result


def _source_value(row: Row) -> Any:
    """Return the value as it came, before all processors: decoded again, or copied, since processors change values in place."""
    if row.arrival is not None:
        return copy.deepcopy(row.arrival.value)
    if row.opened is not None:
        return row.opened.decode(_kept(row))
    return copy.deepcopy(row.event.value if row.event is not None else row.raw_value)


def _kept(row: Row) -> KeptRecord:
    return KeptRecord(row.offset or 0, row.timestamp_ms or 0, row.timestamp_type, row.raw_key, row.raw_value, row.headers)
