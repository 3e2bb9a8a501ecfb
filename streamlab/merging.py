"""Several streams read as one: their values in the order of their timestamps."""

from __future__ import annotations

import asyncio
import contextlib
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Any

from streamlab.arrivals import Arrival, Heard
from streamlab.baskets import Basket, KeptRecord
from streamlab.events import Event
from streamlab.iteration import Timer
from streamlab.queues import Bell

if TYPE_CHECKING:
    from streamlab.events import TP
    from streamlab.runtime.acks import AckStore
    from streamlab.sources import OpenedBatch
    from streamlab.streams import Stream

__all__ = ["Merge", "inputs_of"]

READ = 512
"""So many values of a node are read together."""
AHEAD = 4096
"""So many values of a node are read ahead."""
FARTHEST = 100_000
"""So many are, where one of its partitions has to be waited for."""
FIRST_S = 0.02
"""A value of a node whose processors are slow waits at most so long for others."""
LOOK_S = 0.02
"""While others wait for a node that is behind, so often it is asked whether it still is."""


class Prompt(Timer):
    """Has what was gathered handed over as soon as the source has no more of it at hand."""

    __slots__ = ("_basket",)

    def __init__(self, basket: Basket) -> None:
        super().__init__()
        self._basket = basket

    def left(self) -> float | None:
        """Seconds left."""
        return 0.0 if self._basket.gathered else super().left()

    def passed(self) -> bool:
        """Tell whether to hand over."""
        return bool(self._basket.gathered) or super().passed()


class Input:
    """What was read ahead of one partition of a node, or of what has no partitions.

    Attributes
    ----------
    arrivals : list of Arrival
    times : list of float
        Parallel: when each may be handed out. An input keeps its order, so one that is late has the time of the one before it.
    empty_since : float
        On the monotonic clock.
    """

    __slots__ = ("arrivals", "empty_since", "times")

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.times: list[float] = []
        self.empty_since = time.monotonic()

    def put(self, arrivals: list[Arrival]) -> None:
        """Add what was read."""
        latest = self.times[-1] if self.times else arrivals[0].timestamp
        self.arrivals += arrivals
        self.times += accumulate([max(latest, arrivals[0].timestamp), *(one.timestamp for one in arrivals[1:])], max)

    def drop(self, count: int) -> None:
        """Let the first ones go."""
        del self.arrivals[:count], self.times[:count]
        if not self.arrivals:
            self.empty_since = time.monotonic()

    def keep(self, wanted: Callable[[Arrival], bool]) -> int:
        """Let go of those that are not wanted; returns how many."""
        pairs = [pair for pair in zip(self.times, self.arrivals, strict=True) if wanted(pair[1])]
        gone = len(self.arrivals) - len(pairs)
        self.times, self.arrivals = [at for at, _ in pairs], [one for _, one in pairs]
        return gone

    @property
    def is_timed(self) -> bool:
        """Whether what comes next has the time of a message."""
        return self.arrivals[0].timed


class Side:
    """One node, read by a task of its own."""

    def __init__(self, merge: Merge, number: int, node: Stream[Any], *, keep_going: bool) -> None:
        self.node = node
        self.number = number
        self.inputs: dict[TP | None, Input] = {}
        self.buffered = 0
        self.bound = AHEAD
        self.over = False
        self.failure: BaseException | None = None
        self._merge = merge
        self._heard = node._drive is not None
        self._basket = Basket(READ, first_s=FIRST_S)
        self._timer = Prompt(self._basket)
        self._parked: asyncio.Future[None] | None = None
        self._began = time.monotonic()
        reader = node._read(timer=self._timer, basket=self._basket, keep_going=keep_going)
        self.task = asyncio.ensure_future(self._run(reader))

    async def _run(self, reader: Any) -> None:
        try:
            async with contextlib.aclosing(reader):
                async for _ in reader:
                    self._timer.deadline = None
                    self._take_in()
                    if self.buffered >= self.bound:
                        await self._park()
        except Exception as error:  # noqa: BLE001 - raised where the values are asked for, after what came before it
            self.failure = error
        finally:
            self._take_in()
            self.over = True
            self._merge.tell()

    async def _park(self) -> None:
        self._parked = asyncio.get_running_loop().create_future()
        try:
            await self._parked
        finally:
            self._parked = None

    def handed_out(self, count: int) -> None:
        """Say that there is room for so many more: it reads on when there is enough."""
        self.buffered -= count
        if self.buffered <= AHEAD // 2:
            self.bound = AHEAD
            self._go_on()

    def read_farther(self) -> bool:
        """Read on beyond the bound, as others wait for one of its partitions; False when it has been too far already."""
        if self.parked and self.buffered < FARTHEST:
            self.bound = self.buffered + READ
            self._go_on()
        return self.buffered < FARTHEST

    def _go_on(self) -> None:
        if self._parked is not None and not self._parked.done():
            self._parked.set_result(None)

    def is_idle(self, one: Input | None, max_idle: float) -> bool:
        """Tell whether an input has had nothing for so long."""
        since = self._began if one is None else one.empty_since
        return self.over or max_idle <= 0 or time.monotonic() - since >= max_idle

    def has_to_wait(self, max_idle: float) -> bool:
        """Tell whether others have to wait for an input of this node that is empty."""
        behind = self.behind()
        for tp in behind - self.inputs.keys():
            if tp is not None or not self.buffered:
                return True
        if not self.inputs and not self.is_idle(None, max_idle):
            return True
        return any(not one.arrivals and (tp in behind or not self.is_idle(one, max_idle)) for tp, one in self.inputs.items())

    @property
    def parked(self) -> bool:
        """Whether it waits for room."""
        return self._parked is not None

    def _take_in(self) -> None:
        basket = self._basket
        if not basket.gathered:
            return
        basket.let_go()
        full = basket.hand_over()
        at = 0
        for opened, items in full.runs():
            values = full.gathered[at : at + len(items)]
            at += len(items)
            self._put(opened, items, values)
        self.buffered += at
        self._merge.tell()

    def _put(self, opened: OpenedBatch | None, items: list[Any], values: list[Any]) -> None:
        make, number = Heard if self._heard else Arrival, self.number
        if opened is not None:
            if opened.store is not None:
                self._merge.stores.add(opened.store)
            arrivals = [make(item[1] / 1000, number, value, item, opened) for item, value in zip(items, values, strict=True)]
            self.input(opened.batch.tp).put(arrivals)
            return
        now = time.time()
        self.input(None).put(
            [make(_time_of(item, now), number, value, item, None) for item, value in zip(items, values, strict=True)]
        )

    def input(self, tp: TP | None) -> Input:
        """Return what holds the values of a partition."""
        found = self.inputs.get(tp)
        if found is None:
            found = self.inputs[tp] = Input()
        return found

    def behind(self) -> set[TP | None]:
        """Return the partitions of which more is known to come; None stands for: something."""
        if self.over or self.node._paused or self.node._halted:
            return set()
        if self._timer.waits:
            return self.node._source.behind()
        if not self.parked:
            return {None, *self.inputs}
        opened = self.node._source.run[1]
        return self.node._source.behind() | {None if opened is None else opened.batch.tp}

    async def close(self) -> None:
        """End the reading, and give back what was not handed out."""
        self.task.cancel()
        await asyncio.wait((self.task,))
        for one in self.inputs.values():
            self.give_back(one.arrivals)
        self.inputs.clear()
        self.buffered = 0

    def give_back(self, arrivals: Iterable[Arrival]) -> None:
        """Make them the node's next values."""
        if self._heard:
            return
        source = self.node._source
        stretches = [(opened, [a.item for a in some]) for opened, some in groupby(arrivals, lambda arrival: arrival.opened)]
        for opened, items in reversed(stretches):
            source.give_back_all(items if opened is None else [KeptRecord._make(item) for item in items], opened)


def _time_of(item: Any, now: float) -> float:
    if isinstance(item, Arrival):
        return item.timestamp
    stamp = item.message.timestamp if isinstance(item, Event) else None
    return now if stamp is None else stamp


class Merge:
    """Reads nodes ahead, and gives their values in the order of their timestamps.

    A partition is waited for while more of it is known to come, or its end is not known yet.

    Parameters
    ----------
    nodes : list of Stream
    bell : Bell
        Rung when there is something new.
    max_idle : float
        How long an input that is at its end may hold the others back, in seconds.
    keep_going : bool
        What fails in a node goes to its errors, and the reading goes on.
    """

    def __init__(self, nodes: list[Stream[Any]], bell: Bell, *, max_idle: float = 0.0, keep_going: bool = False) -> None:
        self.nodes = nodes
        self.stores: set[AckStore] = set()
        """Where records are acked that were read."""
        self._bell = bell
        self._max_idle = max_idle
        self._news = True
        self._look_s: float | None = None
        self._revoked: set[AckStore] = set()
        self._sides = [Side(self, number, node, keep_going=keep_going) for number, node in enumerate(nodes)]

    def tell(self) -> None:
        """Say that there is something new."""
        self._news = True
        self._bell.ring()

    def take(self, limit: int) -> list[Arrival] | None:
        """Return the next values, about ``limit`` at most; [] when there are none now, None when all nodes are over.

        Raises what a node raised, after what came before it.
        """
        self._news, self._look_s = False, None
        self._forget_revoked()
        self._raise_failure()
        if not any(side.buffered for side in self._sides):
            return None if all(side.over for side in self._sides) else []
        holding = [side for side in self._sides if side.has_to_wait(self._max_idle) and side.read_farther()]
        if holding:
            self._look_s = LOOK_S
            return []
        return self._merged(limit)

    def _raise_failure(self) -> None:
        for side in self._sides:
            if side.failure is not None and not side.buffered:
                failure, side.failure = side.failure, None
                raise failure

    def _merged(self, limit: int) -> list[Arrival]:
        """Take out of the inputs what comes first: up to where one of them would be empty that may have more."""
        found = [(side, one) for side in self._sides for one in side.inputs.values() if one.arrivals]
        found.sort(key=lambda pair: not pair[1].is_timed)
        share = max(limit // len(found), 1)
        last = min((one.times[min(len(one.times), share) - 1], rank) for rank, (_, one) in enumerate(found))
        merged: list[Arrival] = []
        times: list[float] = []
        for rank, (side, one) in enumerate(found):
            until = bisect_right if rank <= last[1] else bisect_left
            count = until(one.times, last[0], hi=min(len(one.times), share))
            merged += one.arrivals[:count]
            times += one.times[:count]
            one.drop(count)
            side.handed_out(count)
        if len(found) == 1:
            return merged
        return [merged[index] for index in sorted(range(len(merged)), key=times.__getitem__)]

    async def wait(self, wanted: Callable[[], bool], timeout_s: float | None) -> None:
        """Wait until something is new while that is wanted, or there is reason to look again; at most ``timeout_s``."""
        timeouts = [seconds for seconds in (timeout_s, self._look_s) if seconds is not None]
        await self._bell.wait(lambda: self._news or not wanted(), timeout_s=min(timeouts, default=None))

    @property
    def is_behind(self) -> bool:
        """Whether more is known to come."""
        return any(side.buffered or side.behind() for side in self._sides)

    def _forget_revoked(self) -> None:
        closed = {store for store in self.stores if store.closed}
        if closed:
            self.stores -= closed
            self._revoked |= closed
            for side in self._sides:
                side.handed_out(sum(one.keep(lambda arrival: not arrival.is_lost()) for one in side.inputs.values()))

    def take_revoked(self) -> set[AckStore]:
        """Return where the records of partitions would have been acked that were revoked since the last call."""
        revoked, self._revoked = self._revoked, set()
        return revoked

    def give_back(self, arrivals: Iterable[Arrival]) -> None:
        """Make what was taken, and is not acked, the next values of the nodes that it came from."""
        arrivals = list(arrivals)
        for side in self._sides:
            side.give_back([arrival for arrival in arrivals if arrival.side == side.number])

    async def aclose(self) -> None:
        """End the reading; what was not taken goes back to the nodes."""
        await asyncio.gather(*(side.close() for side in self._sides))


def inputs_of(stream: Stream[Any]) -> list[Stream[Any]]:
    """Return what a combined stream reads: its origin and its nodes, each once, and what they combine in place of them.

    One among them that has processors of its own is read itself, instead of what it combines.
    """
    found: dict[int, Stream[Any]] = {}
    covered: set[int] = set()
    for node in [stream._origin, *stream.combined]:
        if not hasattr(node, "get_root_stream"):
            continue  # no origin, or a table
        if _is_plain(node):
            found |= {id(inner): inner for inner in inputs_of(node)}
            continue
        found[id(node)] = node
        covered |= _covered(node)
    return [node for node in found.values() if id(node) not in covered]


def _is_plain(node: Stream[Any]) -> bool:
    return bool(node.combined) and node.join_strategy is None and not len(node.processors) and node._source.is_merge


def _covered(node: Stream[Any]) -> set[int]:
    inner = inputs_of(node) if node.combined else []
    return {id(one) for one in inner}.union(*map(_covered, inner))
