"""The nodes of a stream that reads other streams: each is read ahead by a task of its own, and kept by partitions."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, groupby, repeat
from operator import gt
from typing import TYPE_CHECKING, Any

from streamlab.arrivals import Arrival, Heard
from streamlab.baskets import Basket, KeptRecord
from streamlab.events import Event
from streamlab.iteration import Timer

if TYPE_CHECKING:
    from streamlab.events import TP
    from streamlab.failures import ErrorLog
    from streamlab.merging import Merge
    from streamlab.opened import OpenedBatch
    from streamlab.streams import Stream

__all__ = ["Input", "Side"]

READ = 160
"""So many values of a node are read together: few enough that what is made of them is gone before Python's garbage collector
comes to look at it, after 700 objects that are not."""
AHEAD = READ
"""So many values of each of a node's partitions are read ahead."""
FARTHEST = 100_000
"""So many are, where one of its partitions has to be waited for."""
FIRST_S = 0.02
"""A value of a node whose processors are slow waits at most so long for others."""


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

    def put(self, arrivals: Iterable[Arrival], times: list[float]) -> None:
        """Add what was read, and when it happened."""
        before = len(self.times)
        self.arrivals += arrivals
        self.times += times
        start = max(before - 1, 0)
        if any(map(gt, self.times[start:], self.times[start + 1 :])):
            self.times[start:] = accumulate(self.times[start:], max)

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

    def __init__(self, merge: Merge, number: int, node: Stream[Any], *, keep_going: bool, errors: ErrorLog | None) -> None:
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
        self._errors = errors
        reader = node._read(timer=self._timer, basket=self._basket, keep_going=keep_going)
        self._task = asyncio.ensure_future(self._run(reader))

    async def _run(self, reader: Any) -> None:
        try:
            with self._told():
                await self._read_ahead(reader)
        except Exception as error:  # noqa: BLE001 - raised where the values are asked for, after what came before it
            self.failure = error
        finally:
            self._take_in()
            self.over = True
            self._merge.tell()

    async def _read_ahead(self, reader: Any) -> None:
        async with contextlib.aclosing(reader):
            async for _ in reader:
                self._timer.deadline = None
                self._take_in()
                if self.buffered >= self.bound:
                    await self._park()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Have others told of what fails in the node, and the merge of partitions that are revoked."""
        feed = self.node.feed if self.node.feed is not None and self.node.feed.group is not None else None
        if feed is not None:
            feed.handover.add_waker(self._merge.look_up)
        if self._errors is not None:
            self.node.errors.tell(self._errors)
        try:
            yield
        finally:
            if feed is not None:
                feed.handover.remove_waker(self._merge.look_up)
            if self._errors is not None:
                self.node.errors.tell_no_more(self._errors)

    async def _park(self) -> None:
        self._parked = asyncio.get_running_loop().create_future()
        try:
            await self._parked
        finally:
            self._parked = None

    def handed_out(self, count: int) -> None:
        """Say that there is room for so many more: it reads on when there is enough."""
        self.buffered -= count
        room = AHEAD * max(len(self.inputs), 1)
        if self.buffered <= room // 2:
            self.bound = room
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
        make = Heard if self._heard else Arrival
        if opened is not None and opened.store is not None:
            self._merge.stores.add(opened.store)
        elif self.node.combined:
            self._merge.stores.update(item.store for item in items if isinstance(item, Arrival) and item.store is not None)
        times = _times_of(items) if opened is None else [item[1] / 1000 for item in items]
        arrivals = map(make, times, repeat(self.number), values, items, repeat(opened))
        self.input(None if opened is None else opened.batch.tp).put(arrivals, times)

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
        known = self.node._source.behind()
        if self._timer.waits:
            return known
        if not self.parked:
            return {None, *self.inputs} | known
        opened = self.node._source.run[1]
        return known | {None if opened is None else opened.batch.tp}

    async def close(self) -> None:
        """End the reading, and give back what was not handed out."""
        self._task.cancel()
        await asyncio.wait((self._task,))
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


def _times_of(items: list[Any]) -> list[float]:
    """Return when items happened; what has no time happens now."""
    if set(map(type, items)) == {Event}:
        times: list[float] = [item.message.timestamp for item in items]
        if None not in times:
            return times
    now = time.time()
    return [_time_of(item, now) for item in items]


def _time_of(item: Any, now: float) -> float:
    if isinstance(item, Arrival):
        return item.timestamp
    stamp = item.message.timestamp if isinstance(item, Event) else None
    return now if stamp is None else stamp
