"""Windows of event time: a plain, synchronous engine that is given records and returns the windows that they close or change.

Time is in whole milliseconds here, so that the edges of windows are exact.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from streamlab.aggregates import COUNT, END, HELD, KEY, START
from streamlab.arrivals import Heard
from streamlab.errors import MemoryLimitExceeded
from streamlab.events import Carrier, Event

if TYPE_CHECKING:
    from streamlab.aggregates import Recipe
    from streamlab.arrivals import Arrival

__all__ = ["Hold", "Made", "Shape", "WindowEngine"]

State = list[Any]
FOREVER_MS = 1 << 63
MERGED = None
"""The end of a session that is a part of another one now."""


class Shape(NamedTuple):
    """Which windows there are, in whole milliseconds.

    Parameters
    ----------
    size_ms : int
        How long a window is; of sessions, the gap that ends one.
    step_ms : int
        From the start of one to the start of the next; 0 for sessions.
    grace_ms : int
        How much later than at their end they close.
    """

    size_ms: int
    step_ms: int
    grace_ms: int = 0


class Hold:
    """A record that is to be acked when everybody who shares it has let go of it."""

    __slots__ = ("_ack", "_sharers")

    def __init__(self, ack: Callable[[], object]) -> None:
        self._ack = ack
        self._sharers = 1

    def share(self) -> Hold:
        """One more has to let go of it."""
        self._sharers += 1
        return self

    def let_go(self) -> None:
        """Say that one is done."""
        self._sharers -= 1
        if not self._sharers:
            self._ack()

    @property
    def is_done(self) -> bool:
        """Whether all have let go of it."""
        return not self._sharers


class Closing(Hold):
    """Windows that closed together, and changes before that: their records are let go of when all that came out was consumed."""

    __slots__ = ("records", "time_ms")

    def __init__(self, settle: Callable[[], object]) -> None:
        super().__init__(settle)
        self.records: list[Hold] = []
        self.time_ms = -FOREVER_MS
        """The stream time at which they closed."""


class Made(NamedTuple):
    """A window that is to be handed out, whose coming closed or changed it, and what to let go of when it was consumed."""

    value: Any
    cause: Arrival
    hold: Hold | None


class WindowEngine:
    """Puts records into windows.

    Records of consumer groups have windows and a stream time for each partition number, as in Kafka Streams, so that it
    changes no result which member reads which partition. All others have them in common.

    Parameters
    ----------
    shape : Shape
    recipe : Recipe
    updates : bool
        Windows come out at every change, instead of when they close.
    max_windows : int
        So many may be open.
    failed : callable
        Gets what could not be counted: the record, and the error.

    Attributes
    ----------
    open_windows, late, emitted : int
        Windows that are open now; records that came too late for a window of theirs; windows that were handed out.
    done_ms : dict of int to int
        For partitions of groups that are not read now: all windows that were closed at this stream time have been consumed. They
        are not handed out again when some of their records are read again.
    """

    def __init__(
        self,
        shape: Shape,
        recipe: Recipe,
        *,
        updates: bool = False,
        max_windows: int = 1_000_000,
        failed: Callable[[Arrival, Exception], object],
    ) -> None:
        self.shape = shape
        self.recipe = recipe
        self.updates = updates
        self.max_windows = max_windows
        self.failed = failed
        self.open_windows = self.late = self.emitted = 0
        self.done_ms: dict[int | None, int] = {}
        self._lanes: dict[int | None, Lane] = {}

    def add(self, arrivals: Sequence[Arrival], now: float = 0.0, *, apart: bool = False) -> list[Made]:
        """Take records in, in the order in which they were read.

        Parameters
        ----------
        arrivals : sequence of Arrival
        now : float
            On the clock that ``idle`` compares with.
        apart : bool
            Some may be of consumer groups.
        """
        made: list[Made] = []
        if not apart:
            self._lane(None).add(arrivals, now, made)
            return made
        for partition, some in groupby(arrivals, _partition_of):
            self._lane(partition).add(list(some), now, made)
        return made

    def _lane(self, partition: int | None) -> Lane:
        lane = self._lanes.get(partition)
        if lane is None:
            kind: type[Lane] = AlignedLane if self.shape.step_ms else SessionLane
            lane = self._lanes[partition] = kind(self, self.done_ms.get(partition, -FOREVER_MS))
        return lane

    def done_up_to(self, partition: int) -> int | None:
        """Return the stream time up to which all windows of a partition have been consumed; from any thread. None before the first."""
        lane = self._lanes.get(partition)
        done_ms = self.done_ms.get(partition, -FOREVER_MS) if lane is None else lane.done_ms
        return None if done_ms == -FOREVER_MS else done_ms

    def know(self, partition: int, done_ms: int) -> None:
        """Take in up to which stream time all windows of a partition have been consumed, before its records come."""
        self.done_ms[partition] = max(done_ms, self.done_ms.get(partition, -FOREVER_MS))

    def idle(self, since: float) -> list[Made]:
        """Close the windows where nothing has come since then; what comes for them later is late."""
        made: list[Made] = []
        for lane in self._lanes.values():
            if lane.heard_at <= since:
                lane.close_all(made)
        return made

    def flush(self) -> list[Made]:
        """Close all windows, and begin anew."""
        made: list[Made] = []
        for lane in self._lanes.values():
            lane.close_all(made)
        self.clear()
        return made

    def clear(self) -> None:
        """Forget all windows, and the stream time."""
        self._lanes.clear()
        self.done_ms.clear()
        self.open_windows = 0

    def drop(self, partitions: Iterable[int]) -> None:
        """Forget the windows of partitions of consumer groups; nothing is handed out or acked."""
        for partition in partitions:
            lane = self._lanes.get(partition)
            if lane is not None:
                self.know(partition, lane.done_ms)
                del self._lanes[partition]
                self.open_windows -= lane.open_windows

    def finish(self, state: State, cause: Arrival, made: list[Made], hold: Hold | None) -> None:
        """Have a window handed out as it is."""
        try:
            made.append(Made(self.recipe.window(state), cause, hold))
        except Exception as error:  # noqa: BLE001 - whatever a function of the user's raises
            self.failed(cause, error)
            if hold is not None:
                hold.let_go()
            return
        self.emitted += 1


def _partition_of(arrival: Arrival) -> int | None:
    store = arrival.store
    return None if store is None else store.tp.partition


def _hold(arrival: Arrival) -> Hold | None:
    """Return how to ack a record later, keeping as little of it as can be."""
    opened = arrival.opened
    if opened is None:
        item = arrival.item
        if isinstance(item, Event) and item.message.on_final_ack is None:  # it is in no log, and nothing reads it again
            item.ack()
            return None
        return Hold(arrival.ack) if isinstance(item, Carrier) else None
    if opened.store is None or isinstance(arrival, Heard):
        return None
    return Hold(arrival.ack if arrival.made is not None else partial(opened.store.ack, arrival.item[0]))


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
            hold = None if opened is not None and opened.store is None else _hold(arrival)
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


class AlignedLane(Lane):
    """Tumbling and hopping windows: their starts are multiples of the step, counted from 1970."""

    def __init__(self, engine: WindowEngine, done_ms: int) -> None:
        super().__init__(engine, done_ms)
        self._windows: dict[int, dict[Any, State]] = {}
        self._from_ms = self._to_ms = 0
        """Records of these times are in the same windows."""
        self._here: list[tuple[int, dict[Any, State]]] = []
        """These, by their starts, as far as they are open."""

    def place(self, ms: int, key: Any) -> list[State]:
        """Return the open windows that a record is in."""
        if not self._from_ms <= ms < self._to_ms:
            self._look(ms)
        states = []
        for start, windows in self._here:
            state = windows.get(key)
            if state is None:
                state = windows[key] = self.engine.recipe.begin(key, start, start + self.shape.size_ms)
                self._count(1)
            states.append(state)
        return states

    def _look(self, ms: int) -> None:
        size, step, grace = self.shape
        first, last = ((ms - size) // step + 1) * step, ms // step * step
        self._from_ms, self._to_ms = max(last, first - step + size), min(last + step, first + size)
        starts = [start for start in range(first, last + 1, step) if start + size + grace > self.time_ms]
        self.missed = first + size + grace <= self.time_ms
        self._here = [(start, self._windows.setdefault(start, {})) for start in starts]
        if starts:
            self.closes_ms = min(self.closes_ms, starts[0] + size + grace)

    def lacks(self, ms: int, key: Any) -> bool:
        """Tell whether a record would open a window."""
        if not self._from_ms <= ms < self._to_ms:
            self._look(ms)
        return any(key not in windows for _, windows in self._here)

    def over(self) -> Iterator[State]:
        """Yield the windows whose time is over, the earliest end first, and forget them."""
        size, _, grace = self.shape
        self._from_ms = self._to_ms = 0
        for start in sorted(start for start in self._windows if start + size + grace <= self.time_ms):
            yield from self._windows.pop(start).values()
        self.closes_ms = min(self._windows, default=FOREVER_MS) + size + grace

    def last_ms(self) -> int:
        """Return the stream time at which all windows are over."""
        size, _, grace = self.shape
        return max(self._windows, default=-FOREVER_MS) + size + grace


class SessionLane(Lane):
    """Sessions: records of a key, each less than the gap after the one before it. A session ends the gap after its last one."""

    def __init__(self, engine: WindowEngine, done_ms: int) -> None:
        super().__init__(engine, done_ms)
        self._sessions: dict[Any, list[State]] = {}
        self._ends: list[tuple[int, int, State]] = []
        """A heap of when they end, or ended before they grew."""
        self._number = 0

    def place(self, ms: int, key: Any) -> list[State]:
        """Return the session that a record is in, made or merged if need be; none when it is closed."""
        self.missed = False
        found = self._around(ms, key)
        if not found:
            return self._begin(ms, key)
        state = found[0]
        state[START], state[END] = min(state[START], ms), max(state[END], ms + self.shape.size_ms)
        for other in found[1:]:
            self.engine.recipe.merge(state, other)
            other[END] = MERGED
            self._forget(other)
            self._count(-1)
        return [state]

    def _around(self, ms: int, key: Any) -> list[State]:
        gap = self.shape.size_ms
        return [state for state in self._sessions.get(key, ()) if state[START] - gap < ms < state[END]]

    def _begin(self, ms: int, key: Any) -> list[State]:
        gap, _, grace = self.shape
        self.missed = ms + gap + grace <= self.time_ms
        if self.missed:
            return []
        state = self.engine.recipe.begin(key, ms, ms + gap)
        self._sessions.setdefault(key, []).append(state)
        self._watch(state)
        self._count(1)
        return [state]

    def lacks(self, ms: int, key: Any) -> bool:
        """Tell whether a record would open a session."""
        gap, _, grace = self.shape
        return not self._around(ms, key) and ms + gap + grace > self.time_ms

    def _watch(self, state: State) -> None:
        self._number += 1
        heappush(self._ends, (state[END], self._number, state))
        self.closes_ms = self._ends[0][0] + self.shape.grace_ms

    def over(self) -> Iterator[State]:
        """Yield the sessions whose time is over, the earliest end first, and forget them."""
        ends, grace = self._ends, self.shape.grace_ms
        while ends and ends[0][0] + grace <= self.time_ms:
            end_ms, _, state = heappop(ends)
            if state[END] is MERGED:
                continue
            if state[END] > end_ms:
                self._watch(state)
                continue
            self._forget(state)
            yield state
        self.closes_ms = ends[0][0] + grace if ends else FOREVER_MS

    def _forget(self, state: State) -> None:
        sessions = self._sessions[state[KEY]]
        sessions[:] = [other for other in sessions if other is not state]
        if not sessions:
            del self._sessions[state[KEY]]

    def last_ms(self) -> int:
        """Return the stream time at which all sessions are over."""
        return (
            max((state[END] for states in self._sessions.values() for state in states), default=-FOREVER_MS) + self.shape.grace_ms
        )


def _can_be_key(key: Any) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    return True
