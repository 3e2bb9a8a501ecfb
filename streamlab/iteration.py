"""The loop that every stream runs: take an item, run the processors, hand the value out, ack it.

One asynchronous generator, written for speed: what is not needed for every record is done once a run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from time import perf_counter
from typing import TYPE_CHECKING, Any

from streamlab import lifecycle
from streamlab.errors import Skip
from streamlab.events import Cell, Event, current_cell, empty
from streamlab.outcomes import DROPPED, Marker, ack_cell, decode_again, failed, left, skipped

if TYPE_CHECKING:
    from streamlab.streams import Stream

__all__ = ["LATE", "Timer", "iterate"]

TURN_S = 0.005
"""A loop over a full source gives its turn up this often."""


LATE = Marker("LATE")
"""Yielded to a reader with a timer when its deadline passed."""


class Timer:
    """A deadline that the reader of ``iterate`` sets, on the clock of ``perf_counter``."""

    __slots__ = ("deadline",)

    def __init__(self) -> None:
        self.deadline: float | None = None

    def left(self) -> float | None:
        """Seconds left; None without a deadline."""
        return None if self.deadline is None else self.deadline - perf_counter()

    def passed(self) -> bool:
        """Tell whether the deadline is over."""
        return self.deadline is not None and perf_counter() >= self.deadline


async def iterate(  # noqa: C901, PLR0912, PLR0915 - the hot loop: in one piece on purpose
    stream: Stream[Any], *, timer: Timer | None = None, acks: bool | None = None, keep_going: bool = False
) -> AsyncGenerator[Any, None]:
    """Yield the stream's values; after each, ``stream._cell`` is what it was made from.

    Parameters
    ----------
    stream : Stream
    timer : Timer, optional
        LATE is yielded when its deadline passes, however long the source or a processor takes.
    acks : bool, optional
        Whether each value is acked when the next one is asked for; as ``stream.enable_acks`` says by default.
    keep_going : bool
        What cannot be decoded, or fails in a processor, goes to ``stream.errors`` and the loop goes on.
    """
    source, live = stream._source, stream.processors
    thrown = source.errors
    cell: Cell | None = None
    await lifecycle.loop_begins(stream)
    merge = stream._merger()
    turn = perf_counter()
    try:
        while not stream.should_stop:
            run = source.run
            items, opened = run
            if opened is None:
                store = None
            else:
                store, fast, build, check_key = opened.store, opened.fast, opened.build, opened.check_key
            for item in items:
                if thrown or stream._halted:
                    source.give_back(item, opened)
                    source.raise_thrown()
                    break
                if opened is None:
                    if isinstance(item, Event):
                        value = item.value
                        cell = [item, None, None, None]
                    else:
                        value = item
                        cell = [None, None, item, None]
                else:
                    if store is not None:
                        if store.closed:  # the partition is another consumer's now, and so are its records
                            source.abandon(run)
                            break
                        store.deliver(item.offset)
                    raw = item.value
                    try:
                        value = None if raw is None else fast(raw)
                        if check_key:
                            opened.key(item)
                    except Exception as error:  # noqa: BLE001 - whatever a codec raises
                        value = decode_again(stream, item, opened, error, keep_going=keep_going)
                        if value is DROPPED:
                            if store is not None:
                                store.ack(item.offset)
                            continue
                    cell = [None, item, value, build]
                current_cell.set(cell)
                stream._cell = cell
                processor = None
                began = perf_counter()
                try:
                    if began - turn > TURN_S:
                        await asyncio.sleep(0)
                        turn = began = perf_counter()
                    for processor in live.active:
                        processor.seen += 1
                        processor.since = began
                        value = processor.function(value)
                        if type(value) is not processor.plain:
                            if not hasattr(value, "__await__"):
                                processor.plain = type(value)
                            elif timer is None:
                                value = await value
                            else:
                                task = asyncio.ensure_future(value)
                                try:
                                    while not (await asyncio.wait((task,), timeout=timer.left()))[0]:
                                        yield LATE
                                finally:
                                    task.cancel()
                                value = task.result()
                        processor.since = 0.0
                        now = perf_counter()
                        processor.seconds += now - began
                        began = now
                    processor = None
                    if merge is not None:
                        value = await merge(value)
                except Skip:
                    skipped(processor, perf_counter() - began)
                    value = DROPPED
                except Exception as error:
                    failed(stream, cell, processor, error, perf_counter() - began)
                    if not keep_going:
                        raise
                    value = DROPPED
                except BaseException:  # cancelled, or closed while late: nobody got the item
                    if processor is not None:
                        processor.seen -= 1
                        processor.since = 0.0
                    source.give_back(item, opened)
                    raise
                if value is DROPPED:
                    ack_cell(cell)
                    if timer is not None and timer.passed():
                        yield LATE
                    continue
                if value is None and opened is None and cell[0] is None:
                    continue
                stream.events_total += 1
                try:
                    yield value
                except BaseException:  # closed or thrown into: the body is done with it all the same
                    if stream.enable_acks if acks is None else acks:
                        left(stream, [cell])
                    raise
                event = cell[0]
                if (event is not None or store is not None) and (stream.enable_acks if acks is None else acks):
                    if event is not None:
                        event.ack()
                    else:
                        store.ack(item.offset)
            else:
                if source.run is not run:
                    continue  # another reader of this source was here
                if opened is not None and store is not None and items is opened.records:
                    store.finish(opened.batch.next_offset)
                stream._cell = None
                if timer is not None and timer.passed():
                    yield LATE
                if not await source.fill(stream._wanted, None if timer is None else timer.left()):
                    return
                if perf_counter() - turn > TURN_S:
                    await asyncio.sleep(0)
                    turn = perf_counter()
    finally:
        if acks is not False:  # else the cells are the caller's, who may still hand them out, or back
            empty(cell)
        current_cell.set(None)
        stream._cell = None
        await lifecycle.loop_ends(stream)
