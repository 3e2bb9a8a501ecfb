import asyncio
import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlab.broker.base import RecordBatch
from streamlab.events import TP
from streamlab.runtime.handover import Handover
from tests.runtime.reading import arrived

ORDERS = TP("orders", 0)
CLICKS = TP("clicks", 0)


def batch(first: int = 0, next_offset: int = 1, *, size: int = 10, tp: TP = ORDERS) -> RecordBatch:
    return RecordBatch(tp, (), first, next_offset, size)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_was_put_is_taken_in_order() -> None:
    handover = Handover()
    lists = [[batch(0, 1), batch(1, 5)], [batch(5, 6)]]
    for batches in lists:
        await handover.put(batches)
    assert (handover.buffered_bytes, handover.buffered_records) == (30, 6)
    assert [handover.get_nowait(), handover.get_nowait()] == lists
    assert handover.get_nowait() is None
    assert (handover.buffered_bytes, handover.buffered_records) == (0, 0)
    assert not handover.ended


async def test_taken_tells_the_offset_after_the_last_batch_of_each_partition() -> None:
    handover = Handover()
    await handover.put([batch(0, 4), batch(7, 9, tp=CLICKS), batch(4, 6)])
    assert handover.taken == {}
    handover.get_nowait()
    assert handover.taken == {ORDERS: 6, CLICKS: 9}


async def test_put_waits_while_over_the_bound_until_a_reader_found_nothing() -> None:
    handover = Handover(max_bytes=100)
    await handover.put([batch(size=60)])
    writer = asyncio.create_task(handover.put([batch(size=60)]))
    await settle()
    assert handover.full
    assert not writer.done()
    assert handover.get_nowait()
    assert handover.get_nowait()
    await settle()
    assert not writer.done()
    assert handover.get_nowait() is None
    await asyncio.wait_for(writer, 5)


async def test_much_at_once_is_a_flood_until_less_comes() -> None:
    handover = Handover(max_bytes=80)
    assert not handover.floods
    await handover.put([batch(size=6), batch(size=6)])
    assert handover.floods
    await handover.put([batch(size=5)])
    assert not handover.floods


async def test_a_list_over_the_bound_passes() -> None:
    handover = Handover(max_bytes=100)
    writer = asyncio.create_task(handover.put([batch(size=1000)]))
    await settle()
    assert handover.get_nowait() == [batch(size=1000)]
    assert handover.get_nowait() is None
    await asyncio.wait_for(writer, 5)


async def test_cancelling_a_put_that_waits_loses_nothing() -> None:
    handover = Handover(max_bytes=1)
    writer = asyncio.create_task(handover.put([batch()]))
    await settle()
    writer.cancel()
    await settle()
    assert handover.get_nowait() == [batch()]


async def test_every_waiting_reader_is_woken_when_something_comes() -> None:
    handover = Handover()
    readers = [asyncio.create_task(arrived(handover)) for _ in range(3)]
    await settle()
    await handover.put([batch()])
    await asyncio.wait_for(asyncio.gather(*readers), 5)


class Bell:
    def __init__(self) -> None:
        self.rings = 0

    def ring(self) -> None:
        self.rings += 1


async def test_a_method_can_be_a_waker_and_be_removed() -> None:
    handover, bell = Handover(), Bell()
    handover.add_waker(bell.ring)
    await handover.put([batch()])
    handover.remove_waker(bell.ring)
    handover.remove_waker(bell.ring)
    await handover.put([batch()])
    assert bell.rings == 1


@pytest.mark.parametrize("finish", [Handover.end, lambda handover: handover.fail(LookupError())])
def test_the_end_and_an_error_are_something_to_look_at(finish: Callable[[Handover], None]) -> None:
    handover = Handover()
    before = handover.readable
    finish(handover)
    assert (before, handover.readable) == (False, True)


@pytest.mark.parametrize("finish", [Handover.end, lambda handover: handover.fail(LookupError())])
async def test_the_end_and_an_error_wake_the_readers(finish: Callable[[Handover], None]) -> None:
    handover = Handover()
    reader = asyncio.create_task(arrived(handover))
    await settle()
    finish(handover)
    await asyncio.wait_for(reader, 5)


async def test_the_end_comes_after_what_was_put_before_it() -> None:
    handover = Handover()
    await handover.put([batch()])
    handover.end()
    ended_before = handover.ended
    handover.get_nowait()
    assert (ended_before, handover.ended) == (False, True)
    assert handover.get_nowait() is None


async def test_an_error_comes_once_and_after_what_was_put_before_it() -> None:
    handover = Handover()
    await handover.put([batch()])
    handover.fail(LookupError("first"))
    handover.fail(LookupError("second"))
    assert handover.get_nowait() == [batch()]
    with pytest.raises(LookupError, match="first"):
        handover.get_nowait()
    assert handover.get_nowait() is None
    assert handover.ended


async def test_clear_drops_the_batches_of_some_partitions() -> None:
    handover = Handover()
    await handover.put([batch(0, 3), batch(0, 2, tp=CLICKS)])
    await handover.put([batch(3, 4)])
    handover.clear({ORDERS})
    assert (handover.buffered_bytes, handover.buffered_records) == (10, 2)
    assert handover.get_nowait() == [batch(0, 2, tp=CLICKS)]
    assert handover.get_nowait() is None


async def test_clear_lets_a_waiting_writer_go_on() -> None:
    handover = Handover(max_bytes=1)
    writer = asyncio.create_task(handover.put([batch()]))
    await settle()
    handover.clear()
    await asyncio.wait_for(writer, 5)
    assert handover.get_nowait() is None


async def test_a_waker_whose_loop_was_closed_is_dropped_and_the_others_are_called() -> None:
    handover, calls = Handover(), []

    def dead() -> None:
        raise RuntimeError("Event loop is closed")

    def alive() -> None:
        calls.append(1)

    handover.add_waker(dead)
    handover.add_waker(alive)
    await handover.put([batch()])
    await handover.put([batch()])
    assert calls == [1, 1]
    assert handover._wakers == (alive,)


async def test_a_reader_may_take_what_a_closed_loop_had_put() -> None:
    handover = Handover()
    loop = asyncio.new_event_loop()
    await asyncio.to_thread(loop.run_until_complete, handover.put([batch()]))
    loop.close()
    assert handover.get_nowait() == [batch()]


def read_all(handover: Handover, into: list[int]) -> None:
    async def read() -> None:
        while not handover.ended:
            await arrived(handover)
            while (batches := handover.get_nowait()) is not None:
                into.extend(b.first_offset for b in batches)

    asyncio.run(read())


@settings(deadline=None)
@given(sizes=st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=4), max_size=30), max_bytes=st.integers(0, 60))
def test_readers_in_other_threads_get_everything_once_and_the_bound_holds(sizes: list[list[int]], max_bytes: int) -> None:
    handover, got = Handover(max_bytes), [list[int](), list[int]()]
    readers = [threading.Thread(target=read_all, args=(handover, into)) for into in got]
    for reader in readers:
        reader.start()

    async def write() -> int:
        offset = highest = 0
        for row in sizes:
            await handover.put([batch(offset + i, offset + i + 1, size=size) for i, size in enumerate(row)])
            offset += len(row)
            highest = max(highest, handover.buffered_bytes)
        return highest

    assert asyncio.run(write()) <= max_bytes
    handover.end()
    for reader in readers:
        reader.join(10)
    assert sorted(got[0] + got[1]) == list(range(sum(map(len, sizes))))
    assert got[0] == sorted(got[0])
