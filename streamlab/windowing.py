"""Windows of event time: a plain, synchronous engine that is given records and returns the windows that they close or change.

Time is in whole milliseconds here, so that the edges of windows are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from streamlab.aligned_lane import AlignedLane
from streamlab.lanes import FOREVER_MS, Lane, State
from streamlab.session_lane import SessionLane

if TYPE_CHECKING:
    from streamlab.arrivals import Arrival
    from streamlab.holding import Hold
    from streamlab.recipes import Recipe

__all__ = ["Made", "Shape", "WindowEngine"]


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
