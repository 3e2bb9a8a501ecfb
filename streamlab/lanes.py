"""The windows that have one stream time: how records get into them, and what happens when they close."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from streamlab.aggregates import COUNT, END, HELD
from streamlab.errors import MemoryLimitExceeded
from streamlab.holding import Hold, hold_of

if TYPE_CHECKING:
    from streamlab.arrivals import Arrival
    from streamlab.windowing import Made, WindowEngine

__all__ = ["FOREVER_MS", "Lane", "State"]

State = list[Any]
FOREVER_MS = 1 << 63


class Closing(Hold):
    """Windows that closed together, and changes before that: their records are let go of when all that came out was consumed."""

    __slots__ = ("records", "time_ms")

    def __init__(self, settle: Callable[[], object]) -> None:
        super().__init__(settle)
        self.records: list[Hold] = []
        self.time_ms = -FOREVER_MS
        """The stream time at which they closed."""


class Lane:
    """The windows of what has one stream time: the latest timestamp that was seen."""

    def __init__(self, engine: WindowEngine, done_ms: int) -> None:
        self.engine = engine
        self.shape = engine.shape
        self.known_ms = self.done_ms = done_ms
        """Windows that close until then have been consumed: when the reading began, and now."""
        self.holds = False
        """Whether there are records that have to be acked."""
        self._closings: deque[Closing] = deque((Closing(self._settle),))
        """In order; the last one is that of the windows that close next."""
        self.time_ms = -FOREVER_MS
        self.closes_ms = FOREVER_MS
        """The stream time at which the next window closes."""
        self.open_windows = 0
        self.heard_at = 0.0
        self.missed = False
        """Whether the record that was placed last came too late for a window."""
        self._latest: Arrival | None = None

    def place(self, ms: int, key: Any) -> list[State]:
        """Return the open windows that a record is in."""
        raise NotImplementedError

    def over(self) -> Iterator[State]:
        """Yield the windows whose time is over, the earliest end first, and forget them."""
        raise NotImplementedError

    def last_ms(self) -> int:
        """Return the stream time at which all windows are over."""
        raise NotImplementedError

    def add(self, arrivals: Sequence[Arrival], now: float, made: list[Made]) -> None:  # noqa: C901 - the hot loop: in one piece on purpose
        """Take records in."""
        engine, recipe, place = self.engine, self.engine.recipe, self.place
        key_of, pick, fold, updates = recipe.key, recipe.pick, recipe.fold, engine.updates
        self.heard_at = now
        for arrival in arrivals:
            ms = round(arrival.timestamp * 1000)
            if ms > self.time_ms:
                self.time_ms = ms
                if ms >= self.closes_ms:
                    self.close(arrival, made)
            opened = arrival.opened
            hold = None if opened is not None and opened.store is None else hold_of(arrival)
            value, key, found = arrival.value, None, None
            try:
                key = arrival.key if key_of is None else key_of(value)
                found = pick(value) if pick is not None else None
                states = self._placed(ms, key) if engine.open_windows >= engine.max_windows else place(ms, key)
            except Exception as error:  # noqa: BLE001 - whatever a field or a function of the user's raises
                engine.failed(arrival, error if _can_be_key(key) else recipe.refused(key, error))
                states, self.missed = [], False
            for state in states:
                state[COUNT] += 1
                if pick is not None:
                    fold(state, found)
                if hold is not None:
                    self._keep(state, hold)
                if updates and state[END] + self.shape.grace_ms > self.known_ms:
                    engine.finish(state, arrival, made, self._share())
            if self.missed:
                engine.late += 1
            if hold is not None:
                hold.let_go()
        self._latest = arrivals[-1]

    def _placed(self, ms: int, key: Any) -> list[State]:
        """Return the same as ``place``, where there is no room for more windows."""
        if self.lacks(ms, key):
            raise MemoryLimitExceeded(
                f"as many windows are open as max_windows={self.engine.max_windows:,} allows: this record, of a key without "
                "one, is not counted. Give a larger max_windows=, a key with fewer values, or a shorter window or grace"
            )
        return self.place(ms, key)

    def lacks(self, ms: int, key: Any) -> bool:
        """Tell whether a record would open a window."""
        raise NotImplementedError

    def close(self, cause: Arrival, made: list[Made]) -> None:
        """Hand out the windows that are over; with updates, they are out already."""
        engine, closing, grace = self.engine, self._closings[-1], self.shape.grace_ms
        for state in self.over():
            self._count(-1)
            closing.records += state[HELD] or ()
            if not engine.updates and state[END] + grace > self.known_ms:
                engine.finish(state, cause, made, self._share())
        if self.holds:
            closing.time_ms = self.time_ms
            self._closings.append(Closing(self._settle))
            closing.let_go()

    def _share(self) -> Hold | None:
        return self._closings[-1].share() if self.holds else None

    def _keep(self, state: State, hold: Hold) -> None:
        self.holds = True
        if state[HELD] is None:
            state[HELD] = []
        state[HELD].append(hold.share())

    def _settle(self) -> None:
        """Let go of the records of windows of which all that came out was consumed, and of all windows before."""
        while self._closings[0].is_done:
            closing = self._closings.popleft()
            self.done_ms = max(self.done_ms, closing.time_ms)  # before the acks, or a commit in between would say too little
            for hold in closing.records:
                hold.let_go()

    def close_all(self, made: list[Made]) -> None:
        """Hand out all windows, as if the time of the last one was over."""
        self.time_ms = max(self.time_ms, self.last_ms())
        if self._latest is not None:
            self.close(self._latest, made)

    def _count(self, more: int) -> None:
        self.open_windows += more
        self.engine.open_windows += more


def _can_be_key(key: Any) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    return True
