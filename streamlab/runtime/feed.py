"""A feed: one reader of a broker on the I/O thread, pumping record batches to a stream on any thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Any, Literal, get_args

from streamlab.broker.base import Broker, Isolation, RecordBatch
from streamlab.broker.positions import Ago, Earliest, Latest, Offset, Position, Time, parse
from streamlab.broker.resolving import resolve
from streamlab.errors import ImproperlyConfigured, InvalidPosition, InvalidValue, StreamlabError
from streamlab.events import TP
from streamlab.runtime import discovery
from streamlab.runtime.acks import AckStore
from streamlab.runtime.handover import MAX_BYTES, Handover
from streamlab.runtime.io import end_first, io_loop, on_io, submit
from streamlab.runtime.member import Member
from streamlab.runtime.observer import Observer
from streamlab.runtime.outages import FIRST_CONNECT_S
from streamlab.runtime.pump import Pump

__all__ = ["Feed"]

State = Literal["idle", "connecting", "reading", "retrying", "ended", "stopped", "failed"]
STOP_S = 2.0
BROKER_TIMEOUT_S = 60.0
BETWEEN = "; "
"""Stands between notes."""


class Feed:
    """Reads topics from a start to a stop into ``handover``. Making one does no I/O.

    Without a group it observes: explicit offsets, nothing committed, nothing created; partitions that are added are read from
    their beginning. With one it subscribes, and commits what is acked every 0.1 s, when partitions are revoked, and at the stop.

    Parameters
    ----------
    broker : Broker
        Where to read.
    topics : tuple of str, or coroutine function
        The names, or for a pattern what gives those that match now.
    start, stop : position, optional
        See ``streamlab.broker.positions``. By default from now on and without an end. In a group, a start
        says where to begin what the group has no commit for, "earliest" by default.
    group : str, optional
        The consumer group to join.
    isolation : str
        "read_committed" passes over aborted transactions and ends at the last stable offset.
    partitions : frozenset of TP, optional
        Observing: read only these.
    broker_timeout_s : float or None
        How long an outage may last before BrokerUnavailable is raised; None for ever. A first connection that
        fails is raised after 5 s at most.
    bounded : bool
        Observing: wait for no record that is still to come; a stop beyond the end as it is now is that end.
    max_bytes : int
        How much the hand-over buffers.
    on_notice : callable, optional
        Gets a line for people when something happens: partitions added, an outage, a rebalance. Called on the I/O thread.

    Attributes
    ----------
    handover : Handover
        Where the records come out; errors too.
    state : str
        idle, connecting, reading, retrying, ended, stopped or failed; ``state_detail`` says more.
    start_offsets, end_offsets : dict of TP to int
        Where each partition's reading began, once known, and where it will end; the latter None without a stop.
    resume_from : dict of TP to int
        Set before ``begin``: where to go on instead of ``start``. Observing, partitions not in it are read from their
        beginning; in a group, it is for what the group has no commit for.
    insists : bool
        Set before ``begin``: in a group, begin at ``start`` also where the group has a commit.
    together : str
        Set before ``begin``: feeds of the group that say the same here are assigned the same partition numbers.
    generation : int
        Group mode: that of the latest assignment.
    notes_of : dict of str to callable
        Added to before ``begin``, by whoever makes something of what is read: what it has to tell whoever reads a partition next, under a name
        of its own. Called on the I/O thread. It is committed with the partition's offset.
    notes : dict of TP to str
        What was committed so when partitions were assigned; see ``noted``.
    stores : dict of TP to AckStore
        Group mode: what is handed out and acked, of the partitions that are ours.
    news : str
        What happened last that whoever looks at the stream should know; nothing before anything did.
    """

    def __init__(  # noqa: PLR0913 - it is all that can be said of a reading
        self,
        broker: Broker,
        topics: tuple[str, ...] | Callable[[], Awaitable[tuple[str, ...]]],
        *,
        start: Any = None,
        stop: Any = None,
        group: str | None = None,
        isolation: Isolation = "read_uncommitted",
        partitions: frozenset[TP] | None = None,
        broker_timeout_s: float | None = BROKER_TIMEOUT_S,
        bounded: bool = False,
        max_bytes: int = MAX_BYTES,
        on_notice: Callable[[str], None] | None = None,
    ) -> None:
        if group is not None and partitions is not None:
            raise ImproperlyConfigured(f"group {group!r} assigns the partitions itself: give group or partitions, not both")
        if group is not None and (not isinstance(group, str) or not group):
            raise InvalidValue(f"a consumer group has a name, a text that is not empty; not {group!r}")
        if isolation not in get_args(Isolation):
            raise InvalidValue(f'isolation is "read_uncommitted" or "read_committed", not {isolation!r}')
        self.broker = broker
        self.topics = topics
        self.group = group
        self.start = _start(start, group)
        self.stop_at = None if stop is None else parse(stop, end=True)
        if _lies_after(self.start, self.stop_at):
            raise InvalidPosition(f"start={start!r} lies after stop={stop!r}: give a later stop or an earlier start")
        self.isolation: Isolation = isolation
        self.partitions = partitions
        self.bounded = bounded
        self.broker_timeout_s = broker_timeout_s
        self.on_notice = on_notice
        self.handover = Handover(max_bytes)
        self.stores: dict[TP, AckStore] = {}
        self.resume_from: dict[TP, int] = {}
        self.insists = False
        self.together = ""
        self.generation = -1
        self.notes_of: dict[str, Callable[[TP], str]] = {}
        self.notes: dict[TP, str] = {}
        self.start_offsets: dict[TP, int] = {}
        self.end_offsets: dict[TP, int] | None = None
        self.state: State = "idle"
        self.state_detail = ""
        self.news = ""
        self.reading = False
        self.placed = False
        """Whether it is known which partitions are read, and from where."""
        self.reached: dict[TP, int] = {}
        self.ends_known: dict[TP, int] = {}
        self.lag_asked = 0.0
        self._fixing: Future[dict[TP, int]] | None = None
        self._gate = threading.Lock()  # held for ever by the first to begin
        self._begun = False
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def note(self, tp: TP) -> str:
        """Return what is to be committed with a partition's offset."""
        told = ((name, tell(tp)) for name, tell in tuple(self.notes_of.items()))
        return BETWEEN.join(f"{name} {text}" for name, text in told if text)

    def noted(self, tp: TP, name: str) -> str:
        """Return what was told under a name when the partition was assigned; nothing for nothing."""
        parts = self.notes.get(tp, "").split(BETWEEN)
        return next((part.removeprefix(f"{name} ") for part in parts if part.startswith(f"{name} ")), "")

    @property
    def is_pattern(self) -> bool:
        """Whether topics come and go."""
        return callable(self.topics)

    def fix_start(self, timeout_s: float = 1.0) -> None:
        """Resolve a start at "latest" now, so that what is sent from now on is read. A plain call.

        Waits at most ``timeout_s``; the resolving goes on behind. What goes wrong is met again by the first read.
        """
        if self.group is not None or not isinstance(self.start, Latest) or self.resume_from:
            return
        self._fixing = submit(self._fix_start())
        with contextlib.suppress(TimeoutError, StreamlabError):
            self.start_offsets = self._fixing.result(timeout_s)

    async def _fix_start(self) -> dict[TP, int]:
        async with asyncio.timeout(FIRST_CONNECT_S):
            return await resolve(Latest(), self.broker, await discovery.there(self), self.isolation, 0)

    async def fixed_start(self) -> dict[TP, int] | None:
        """Return what ``fix_start`` found, awaited if it is still looking; None when it could not look.

        Partitions that are not in it were not there: whatever is in them came later.
        """
        if self._fixing is None:
            return None
        with contextlib.suppress(TimeoutError, StreamlabError):
            return await asyncio.shield(asyncio.wrap_future(self._fixing))
        return None

    def begin(self) -> None:
        """Start pumping on the I/O thread, unless that was done before. From any thread, returns at once."""
        if self._begun or not self._gate.acquire(blocking=False):
            return
        self._begun = True
        if self._closing:
            self._set_stopped()
            return
        self._loop = io_loop()
        self._loop.call_soon_threadsafe(self._launch)

    def _launch(self) -> None:
        if self._closing:
            self._set_stopped()
        else:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="streamlab-feed")
            end_first.add(self._task)

    async def _run(self) -> None:
        self.set_state("connecting")
        pump: Pump = Observer(self) if self.group is None else Member(self)
        try:
            await pump.run()
            self.finish()
        except asyncio.CancelledError:
            self._set_stopped()
        except Exception as error:  # noqa: BLE001 - whatever it is, the reader gets it
            self.set_state("failed", f"{type(error).__name__}: {error}")
            self.handover.fail(error)
        finally:
            self.reading = False
            await pump.close()

    def finish(self) -> None:
        """Say that all was handed over."""
        self.set_state("ended")
        self.handover.end()

    def _set_stopped(self) -> None:
        self.set_state("stopped")
        self.handover.clear()
        self.handover.end()

    def close_soon(self) -> None:
        """Stop pumping. From any thread or a finalizer: never blocks, never raises."""
        self._closing = True
        if self._fixing is not None:
            self._fixing.cancel()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the process ends, and the I/O loop has ended
                self._loop.call_soon_threadsafe(self._cancel)
        elif not self._begun:
            self.set_state("stopped")

    def _cancel(self) -> None:
        if self._task is not None and not self._task.done() and not self._task.cancelling():
            self._task.cancel()

    async def stop(self) -> None:
        """Stop pumping and wait for it, from any loop; at most 2 s, even when the broker hangs."""
        self.close_soon()
        if self._loop is not None:
            await on_io(self._wait_for_task())

    async def _wait_for_task(self) -> None:
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=STOP_S)

    def store_for(self, batch: RecordBatch) -> AckStore | None:
        """Return where the batch's records are acked: None when observing, a closed one when it is of an older generation."""
        if self.group is None:
            return None
        return self._current_store(batch) or AckStore(batch.tp, batch.generation, closed=True)

    def is_current(self, batch: RecordBatch) -> bool:
        """Whether the batch's partition is ours, in the generation in which the batch was fetched."""
        return self._current_store(batch) is not None

    def _current_store(self, batch: RecordBatch) -> AckStore | None:
        store = self.stores.get(batch.tp)
        return store if store is not None and store.generation == batch.generation else None

    def lag(self, waiting: Mapping[TP, int] | None = None) -> dict[TP, int]:
        """Return how many offsets lie between what was taken from the hand-over and the end, as last known. No I/O.

        Parameters
        ----------
        waiting : mapping of TP to int, optional
            The first offsets of what was taken and nobody came to yet: it counts as not taken.
        """
        self.lag_asked = time.monotonic()
        at = self._stands(waiting or {})
        return {tp: max(end - at(tp), 0) for tp, end in self.ends_known.items()}

    def _stands(self, waiting: Mapping[TP, int]) -> Callable[[TP], int]:
        """Return what gives the offset up to which a partition is read."""
        reached = self.reached  # before the buffer is looked at: what it covers is in there, or was taken
        reached = {} if self.handover.buffered_bytes else {tp: offset for tp, offset in reached.items() if tp not in waiting}
        taken = {**self.handover.taken, **waiting}
        return lambda tp: max(taken.get(tp, self.start_offsets.get(tp, 0)), reached.get(tp, 0))

    def has_passed(self, offsets: Mapping[TP, int]) -> bool:
        """Tell whether everything before these offsets was taken from the hand-over, or is a hole that was read past. No I/O."""
        self.lag_asked = time.monotonic()
        at = self._stands({})
        return all(at(tp) >= offset for tp, offset in offsets.items())

    def behind(self, waiting: Mapping[TP, int]) -> set[TP | None]:
        """Return the partitions of which more is known to come; None is in it while it is not known which there are.

        A partition is among them while its end is not known. ``waiting`` as in ``lag``.
        """
        if self.state in ("ended", "stopped", "failed"):
            return {*waiting, *self.handover.held()}
        if not self.placed:
            return {None}
        self.lag_asked = time.monotonic()
        at, stops = self._stands(waiting), self.end_offsets or {}
        here = self.stores.keys() if self.group is not None else self.start_offsets.keys()
        found: set[TP | None] = set(waiting)
        for tp in here:
            ends = [known[tp] for known in (self.ends_known, stops) if tp in known]
            if not ends or at(tp) < min(ends):
                found.add(tp)
        return found

    def leave(self, tps: frozenset[TP]) -> None:
        """For what pumps: partitions were revoked, and where they stood says nothing about where they are read next."""
        self.placed = False
        for tp in tps:
            self.handover.taken.pop(tp, None)
        self.reached = {tp: at for tp, at in self.reached.items() if tp not in tps}

    def progress(self, waiting: Mapping[TP, int] | None = None) -> float | None:
        """Return how far between start and stop the records taken are, 0 to 1; None without a stop. ``waiting`` as in ``lag``."""
        if self.handover.ended and self.state == "ended" and not waiting:
            return 1.0
        if self.end_offsets is None:
            return None
        taken_up_to = {**self.handover.taken, **(waiting or {})}
        spans = [(self.start_offsets[tp], taken_up_to.get(tp, 0), end) for tp, end in self.end_offsets.items()]
        total = sum(max(end - start, 0) for start, _, end in spans)
        done = sum(max(min(taken, end) - start, 0) for start, taken, end in spans)
        return done / total if total else 1.0

    def set_state(self, state: State, detail: str = "") -> None:
        """For what pumps: say what is going on."""
        self.state_detail = detail
        self.state = state

    def notice(self, text: str, *, news: str = "") -> None:
        """For what pumps: tell people that something happened; with ``news`` also those who look at the stream."""
        self.news = news or self.news
        if self.on_notice is not None:
            self.on_notice(text)


def _start(start: Any, group: str | None) -> Position:
    if start is None:
        return Latest() if group is None else Earliest()
    return parse(start, end=False)


def _lies_after(start: Position, stop: Position | None) -> bool:
    """Tell whether it can be seen without asking anybody that the start lies after the stop."""
    if isinstance(start, Offset) and isinstance(stop, Offset):
        return start.offset > stop.offset
    if isinstance(start, Time) and isinstance(stop, Time):
        return start.ms > stop.ms
    return isinstance(start, Ago) and isinstance(stop, Ago) and start.ms < stop.ms
