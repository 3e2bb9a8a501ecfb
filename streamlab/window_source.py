"""What a stream of windows reads: the stream that is cut into them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from streamlab.arrivals import Arrival, Output, Result
from streamlab.holding import Hold
from streamlab.merged import StreamsSource
from streamlab.outcomes import not_taken
from streamlab.windowing import Made, WindowEngine

if TYPE_CHECKING:
    from streamlab.events import TP, Carrier
    from streamlab.recipes import Recipe
    from streamlab.runtime.acks import AckStore
    from streamlab.runtime.feed import Feed
    from streamlab.streams import Stream
    from streamlab.window_rules import Rules

__all__ = ["WindowSource"]

NOTE = "windows up to"
"""The name of the note that is committed with the offsets: milliseconds."""


class WindowSource(StreamsSource):
    """Reads a stream and gives its windows.

    Parameters
    ----------
    rules : Rules
    recipe : Recipe
    """

    def __init__(self, rules: Rules, recipe: Recipe) -> None:
        super().__init__(idle_s=rules.idle_s)
        self.rules = rules
        self.recipe = recipe
        self._ours: set[AckStore] = set()
        self.engine = WindowEngine(
            rules.shape, recipe, updates=rules.emit == "update", max_windows=rules.max_windows, failed=self._failed
        )

    @property
    def made_by(self) -> str:  # type: ignore[override] # told by its rules
        """Into which windows, and what is computed of each."""
        updates = " emit=update" if self.rules.emit == "update" else ""
        return f"{self.rules} {', '.join(map(str, self.recipe.aggregates))}{updates}"

    def again(self) -> WindowSource:
        """Return the same with windows of its own."""
        source = WindowSource(self.rules, self.recipe)
        source.take_after(self)
        return source

    def arrived(self, arrivals: list[Arrival]) -> Iterable[Carrier]:
        """Return the windows that these close or change."""
        now = time.monotonic()
        apart = bool(self.stores)
        if apart or self._ours:
            self._meet()
        made = self.engine.add(arrivals, now, apart=apart)
        if apart and self.idle_s is not None:
            made += self.engine.idle(now - self.idle_s)
        return _outputs(made)

    def begin(self, stream: Stream[Any], *, keep_going: bool) -> None:
        """Know that a loop begins."""
        super().begin(stream, keep_going=keep_going)
        for feed in self.feeds:
            if feed.group is not None:
                feed.notes_of[self._named(NOTE)] = partial(self._note, feed)

    def _note(self, feed: Feed, tp: TP) -> str:
        """Return what whoever reads a partition next has to know: up to which stream time its windows are done."""
        known = (self.engine.done_up_to(tp.partition), _time_in(feed.noted(tp, self._named(NOTE))))
        done_ms = max((ms for ms in known if ms is not None), default=None)
        return "" if done_ms is None else str(done_ms)

    def _meet(self) -> None:
        """Drop the windows of partitions that are another consumer's now, and take in what was noted about new ones."""
        closed = {store for store in self._ours if store.closed}
        self.engine.drop({store.tp.partition for store in closed})
        fresh = {store.tp.partition for store in self.stores - self._ours}
        for feed in self.feeds:
            for tp in tuple(feed.notes):
                done_ms = _time_in(feed.noted(tp, self._named(NOTE)))
                if done_ms is not None and tp.partition in fresh:
                    self.engine.know(tp.partition, done_ms)
        self._ours = (self._ours - closed) | self.stores

    def revoked(self, stores: set[AckStore]) -> None:
        """Drop their windows."""
        self._meet()

    def idled(self) -> Iterable[Carrier]:
        """Close all windows."""
        return _outputs(self.engine.idle(math.inf))

    def ended(self) -> Iterable[Carrier]:
        """Close all windows; not those whose records a group reads again."""
        if self._of_group and any(node.should_stop for node in self.nodes):
            return ()
        return _outputs(self.engine.flush())

    def stopped(self) -> Iterable[Carrier] | None:
        """Return what is not handed out, and all windows; those whose records a group reads again stay unsaid."""
        return None if self._of_group else chain(self.run[0], self.ended())

    def reopen(self) -> None:
        """Read again; windows of what is read from elsewhere begin anew."""
        super().reopen()
        if any(feed.insists for feed in self.feeds):
            self.engine.clear()

    @property
    def _of_group(self) -> bool:
        return bool(self._ours or self.stores)

    def counters(self) -> dict[str, int]:
        """Return open windows, late records, and windows that were handed out."""
        return {"open_windows": self.engine.open_windows, "late": self.engine.late, "emitted": self.engine.emitted}

    def _failed(self, arrival: Arrival, error: Exception) -> None:
        entry = not_taken(arrival, str(self.rules), error)
        for stream in list(self.users):
            stream.errors.add(entry)


def _outputs(made: list[Made]) -> list[Carrier]:
    return [
        Output.of(value, cause) if hold is None else Result.of(value, cause, _letting_go(hold)) for value, cause, hold in made
    ]


def _time_in(note: str) -> int | None:
    """Return the time that a note tells; None where there is none."""
    return int(note) if note.removeprefix("-").isdecimal() else None


def _letting_go(hold: Hold) -> Callable[[Output], None]:
    return lambda _: hold.let_go()
