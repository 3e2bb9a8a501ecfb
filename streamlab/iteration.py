"""The loop that every stream runs: take an item, run the processors, hand the value out, ack it.

One asynchronous generator, written for speed. Items are walked in chunks; what is not needed for every item is done once a
chunk, and whoever wants a word with a running loop (a stop, an error thrown in, changed processors) sets its ``attention``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Any

from streamlab import lifecycle
from streamlab.baskets import Basket
from streamlab.errors import Skip
from streamlab.events import Carrier, Cell, current_cell
from streamlab.interrupting import Interrupted, interruptible, leaves_by_itself
from streamlab.loops import Loop
from streamlab.outcomes import DROPPED, Marker, ack_cell, decode_again, fell_out, left
from streamlab.tracebacks import forget_frames

if TYPE_CHECKING:
    from streamlab.streams import Stream

__all__ = ["FULL", "LATE", "Timer", "iterate"]

TURN_S = 0.005
"""A loop over a full source gives its turn up this often."""
CHUNK = 64
"""While a loop is not slow, the first item of so many is timed, and stands for them all."""
GLANCE = 8 - 1
"""As a mask: before every eighth item of a chunk the loop looks whether its turn is over."""
SLOW_S = 20e-6
"""A loop that takes longer for an item is slow: every item is timed."""

set_current_cell = current_cell.set
LATE = Marker("LATE")
"""Yielded to a reader with a timer when its deadline passed."""
FULL = Marker("FULL")
"""Yielded to a reader with a basket when it is full."""
NO_ITEM = Marker("NO_ITEM")


class Timer:
    """A deadline that the reader of ``iterate`` sets, on the clock of ``perf_counter``."""

    __slots__ = ("deadline", "waits")
    rings = False
    """Whether its reader acts on the deadline by itself while a processor is awaited: it gets no LATE then."""

    def __init__(self) -> None:
        self.deadline: float | None = None
        self.waits = False
        """Whether the loop waits for its source, which has nothing now."""

    def begin(self, began: float, first_s: float) -> None:
        """Set the deadline for a basket that got its first value; the work on that had begun then."""
        self.deadline = perf_counter() + first_s

    def left(self) -> float | None:
        """Seconds left; None without a deadline."""
        return None if self.deadline is None else self.deadline - perf_counter()

    def passed(self) -> bool:
        """Tell whether the deadline is over."""
        return self.deadline is not None and perf_counter() >= self.deadline


async def iterate(  # noqa: C901, PLR0912, PLR0915 - the hot loop: in one piece on purpose
    stream: Stream[Any],
    *,
    timer: Timer | None = None,
    basket: Basket | None = None,
    acks: bool | None = None,
    keep_going: bool = False,
    stops: int | None = None,
) -> AsyncGenerator[Any, None]:
    """Yield the stream's values; after each, ``stream._cell`` is what it was made from.

    Parameters
    ----------
    stream : Stream
    timer : Timer, optional
        LATE is yielded when its deadline passes, however long the source or a processor takes.
    basket : Basket, optional
        Gets the values, which then are not yielded, and not acked: FULL is, when it is full. While it wants none,
        values are yielded.
    acks : bool, optional
        Whether each value is acked when the next one is asked for; as ``stream.enable_acks`` says by default.
    keep_going : bool
        What cannot be decoded, or fails in a processor, goes to ``stream.errors`` and the loop goes on; also where a processor
        calls ``exit()``, or waits for a task that was cancelled: nobody but the loop would hear of it.
    stops : int, optional
        How often the stream had been stopped when the loop was asked for; now by default.
    """
    source = stream._source
    await lifecycle.loop_begins(stream, keep_going=keep_going)
    loop = Loop(*stream._lists())
    filled = Basket() if basket is None else basket
    filled.loop = loop
    gathered, put_value, put_item = filled.gathered, filled.gathered.append, filled.items.append
    stops = stream._stops if stops is None else stops
    merge = stream._merger()

    def wanted() -> bool:
        return not stream._halted and stream._stops == stops

    def undisturbed() -> bool:
        return wanted() and not filled.stale

    number = sampled = 0
    weight, slow = 1, True
    stubborn = None  # a record that the quick way could not decode
    turn = last = perf_counter()
    try:
        while wanted() or source.last_words(stream):
            if stream._paused:
                if gathered:
                    yield LATE  # nobody is to wait for what is in hand
                await lifecycle.resumed(stream, wanted)
                continue
            if basket is not None:
                basket.let_go()
            run = source.run
            items, opened = run
            store, fast, check_key = (None, None, False) if opened is None else (opened.store, opened.fast, opened.check_key)
            silent = opened is not None and store is None
            began = perf_counter()
            if number > sampled:
                weight = number - sampled
                slow = began - last > weight * SLOW_S
            if began - turn > TURN_S:
                await asyncio.sleep(0)
                turn = began = perf_counter()
            last, sampled, timed = began, number, True
            if timer is not None and timer.deadline is not None and began >= timer.deadline:
                yield LATE
                continue
            if basket is not None:
                basket.mark(opened)
                if source.stores:
                    basket.watch(source.stores)
            if (
                basket is not None
                and basket.wanted
                and silent
                and not (check_key or merge or loop.active or loop.attention or stubborn)
            ):
                taken, stubborn = basket.gather(items, fast)  # type: ignore[arg-type] # opened has one
                loop.done = number = number + taken
                if stubborn is not None:
                    source.give_back(stubborn, opened)
                if taken and basket.first_s and len(gathered) == taken and timer is not None:
                    timer.begin(last, basket.first_s)
                if len(gathered) >= basket.wanted:
                    yield FULL
                if taken or stubborn is not None:
                    continue
            if (
                basket is not None
                and basket.wanted
                and source.in_hand
                and opened is None
                and not (merge or loop.active or loop.attention)
            ):
                before = len(gathered)
                basket.gather_items(items)
                taken = len(gathered) - before
                loop.done = number = number + taken
                if taken and basket.first_s and not before and timer is not None:
                    timer.begin(last, basket.first_s)
                if len(gathered) >= basket.wanted:
                    yield FULL
                if taken:
                    continue
            item = NO_ITEM
            stubborn = None
            for item in islice(items, 1 if slow else CHUNK):
                if not number & GLANCE and number > sampled and perf_counter() - last > TURN_S:
                    source.give_back(item, opened)
                    break
                if loop.attention:
                    loop.attend(stream._active())
                    source.give_back(item, opened)
                    source.raise_thrown()
                    slow, sampled = True, number  # what comes now may be
                    break
                if opened is None:
                    if isinstance(item, Carrier):
                        value = item.value
                        cell: Cell = (item, None, None, None, loop)
                    else:
                        value = item
                        cell = (None, None, item, None, loop)
                else:
                    if store is not None:
                        if store.closed:  # the partition is another consumer's now, and so are its records
                            source.abandon(run)
                            break
                        store.deliver(item.offset)
                    raw = item.value
                    try:
                        value = None if raw is None else fast(raw)  # type: ignore[misc] # opened has one
                        if check_key:
                            opened.key(item)
                    except Exception as error:  # noqa: BLE001 - whatever a codec raises
                        value = decode_again(stream, item, opened, error, keep_going=keep_going)
                        if value is DROPPED:
                            if store is not None:
                                store.ack(item.offset)
                            continue
                    cell = (None, item, value, opened, loop)
                stream._cell = cell
                set_current_cell(cell)
                processor = None
                try:
                    if timed:
                        began = perf_counter()
                    for processor in loop.active:
                        value = processor.call(value)
                        if type(value) is not processor.plain:
                            if not hasattr(value, "__await__"):
                                processor.plain = type(value)
                            elif timer is None or timer.deadline is None or timer.rings:
                                value = await interruptible(stream, value, wanted, loop, processor)
                            else:
                                task = asyncio.ensure_future(value)
                                try:
                                    while not await interruptible(stream, _done(task, timer), wanted, loop, processor):
                                        yield LATE
                                finally:
                                    task.cancel()
                                value = task.result()
                                stream._cell = cell  # whoever was told that it is late may have worked on others
                        if timed:
                            now = perf_counter()
                            processor.seconds += (now - began) * weight
                            began = now
                    processor = None
                    if merge is not None:
                        value = await merge(value)
                        if value is DROPPED:
                            raise Skip
                except BaseException as error:
                    if not (isinstance(error, Exception) or (keep_going and leaves_by_itself(error))):
                        source.give_back(item, opened)  # cancelled, interrupted, or closed while late: nobody got the item
                        if not isinstance(error, Interrupted):
                            raise
                        if not wanted():
                            return
                        break
                    loop.done = number = number + 1
                    fell_out(stream, cell, processor, error, perf_counter() - began if timed else 0.0)
                    if not isinstance(error, Skip):
                        if not keep_going:
                            raise
                        forget_frames(error)
                    ack_cell(cell)
                    continue
                loop.done = number = number + 1
                timed = slow
                if value is None and opened is None and cell[0] is None:
                    loop.dropped += 1
                    continue
                if basket is not None and basket.wanted:
                    if opened is None:
                        put_item(item)
                    else:  # the record itself would keep the garbage collector busy, see KeptRecord
                        put_item((item.offset, item.timestamp, item.timestamp_type, item.key, item.value, item.headers or ()))
                    put_value(value)
                    count = len(gathered)
                    if count == 1 and basket.first_s and timer is not None:
                        timer.begin(last, basket.first_s)
                    if count >= basket.wanted and not basket.let_go():
                        yield FULL
                    continue
                try:
                    yield value
                except BaseException:  # closed or thrown into: the body is done with it all the same
                    if stream._enable_acks if acks is None else acks:
                        left(stream, [cell])
                    raise
                if (not silent or loop.event_cell is cell) and (stream._enable_acks if acks is None else acks):
                    if cell[0] is not None:
                        cell[0].ack()
                    else:
                        ack_cell(cell)
            if item is not NO_ITEM or source.run is not run:
                continue  # there may be more, here or where another reader of this source went on
            if opened is not None and store is not None and items is opened.records:
                store.finish(opened.batch.next_offset)
            stream._cell = processor = None
            if timer is not None and timer.passed():
                yield LATE
            if timer is None:
                filled_up = await source.fill(undisturbed, None)
            else:
                timer.waits = True
                filled_up = await source.fill(undisturbed, timer.left())
                timer.waits = False
            if not filled_up:
                return
            last = perf_counter()
    finally:
        loop.end()
        current_cell.set(None)
        stream._cell = None
        await lifecycle.loop_ends(stream)


async def _done(task: asyncio.Future[Any], timer: Timer) -> bool:
    done, _ = await asyncio.wait((task,), timeout=timer.left())
    return bool(done)
