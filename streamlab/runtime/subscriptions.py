"""What the loops over a stream in the background get of what comes out of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from time import perf_counter
from typing import TYPE_CHECKING, Any

from streamlab.baskets import KeptRecord
from streamlab.events import Carrier, current_cell
from streamlab.iteration import FULL, LATE, Timer
from streamlab.loops import Loop
from streamlab.queues import FlowControlQueue

if TYPE_CHECKING:
    from streamlab.baskets import Basket
    from streamlab.events import Cell
    from streamlab.opened import OpenedBatch
    from streamlab.runtime.runner import Drive

__all__ = ["Subscription", "subscribed"]

Taken = tuple[Any, Any, "OpenedBatch | None"]


class Subscription:
    """A queue of values with what they were made from.

    Parameters
    ----------
    start : int
        The number of the first value that it gets.
    size : int
        So many values may wait in it; the runner, which looks once a basket, may exceed that by a basket.
    """

    def __init__(self, start: int, size: int) -> None:
        self.start = start
        self.size = size
        self.queue: FlowControlQueue[Taken] = FlowControlQueue()

    @property
    def room(self) -> int:
        """How many more values it should get."""
        return self.size - len(self.queue.items)

    @property
    def ready(self) -> bool:
        """Whether it is half empty, so that going on is worth the while."""
        return self.queue.retired or 2 * len(self.queue.items) <= self.size

    async def wait_until_ready(self, drive: Drive) -> None:
        """Wait for its reader, unless the stream is stopped."""
        while not (self.ready or drive.stopping):
            await self.queue.drained.wait(lambda: self.ready or drive.stopping)

    def give(self, basket: Basket, number: int) -> None:
        """Put a basket in, the first value of which has this number."""
        skipped = max(self.start - number, 0)
        taken: list[Taken] = []
        for opened, items in basket.runs():
            at = len(taken)
            values = basket.gathered[at : at + len(items)]
            taken += [(value, item, opened) for value, item in zip(values, items, strict=True)]
        if not self.queue.retired and len(taken) > skipped:
            self.queue.items.extend(taken[skipped:])
            self.queue.filled.ring()


async def subscribed(
    drive: Drive, *, timer: Timer | None = None, basket: Basket | None = None, **_: Any
) -> AsyncGenerator[Any, None]:
    """Yield as ``iterate`` does what comes out of a drive from now on, until it is over; the runner acks."""
    subscription = drive.subscribe()
    queue, loop = subscription.queue, Loop()
    if basket is not None:
        basket.loop = loop
    try:
        while True:
            for value, item, opened in queue.drain():
                if basket is None:
                    current_cell.set(_cell(value, item, opened, loop))
                    yield value
                    continue
                basket.put(value, item, opened)
                if len(basket.gathered) == 1 and basket.first_s and timer is not None:
                    timer.begin(perf_counter(), basket.first_s)
                if len(basket.gathered) >= basket.wanted:
                    yield FULL
            if drive.ended and not queue.items:
                return
            if timer is not None:
                timer.waits = not queue.items
            await queue.filled.wait(lambda: queue.items or drive.ended, timeout_s=None if timer is None else timer.left())
            if timer is not None and timer.passed() and not queue.items:
                yield LATE
    finally:
        drive.unsubscribe(subscription)
        queue.retire()
        loop.end()
        current_cell.set(None)


def _cell(value: Any, item: Any, opened: OpenedBatch | None, loop: Loop) -> Cell:
    if opened is not None:
        return (None, KeptRecord._make(item), value, opened, loop, True)
    return (item, None, None, None, loop) if isinstance(item, Carrier) else (None, None, item, None, loop)
