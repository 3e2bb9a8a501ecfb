"""FlowControlQueue: asyncio.Queue's interface, from any thread, with errors that overtake the items."""

from __future__ import annotations

import asyncio
import threading

import pytest

import streamlab as sl
from streamlab.queues import Bell, FlowControlEvent
from tests.streaming import turns, until


@pytest.fixture
def queue() -> sl.FlowControlQueue[int]:
    return sl.FlowControlQueue(2)


async def test_items_come_out_in_order(queue: sl.FlowControlQueue[int]) -> None:
    await queue.put(1)
    queue.put_nowait(2)
    assert [await queue.get(), queue.get_nowait()] == [1, 2]


async def test_it_tells_how_full_it_is(queue: sl.FlowControlQueue[int]) -> None:
    assert (queue.qsize(), queue.empty(), queue.full()) == (0, True, False)
    queue.put_nowait(1)
    queue.put_nowait(2)
    assert (queue.qsize(), queue.empty(), queue.full()) == (2, False, True)
    assert repr(queue) == "<FlowControlQueue maxsize=2 size=2>"


async def test_a_full_queue_refuses_put_nowait_and_holds_put(queue: sl.FlowControlQueue[int]) -> None:
    queue.put_nowait(1)
    queue.put_nowait(2)
    with pytest.raises(asyncio.QueueFull):
        queue.put_nowait(3)
    putting = asyncio.create_task(queue.put(3))
    await turns()
    assert not putting.done()
    assert await queue.get() == 1
    await putting
    assert queue.qsize() == 2


@pytest.mark.parametrize("maxsize", [0, -1])
async def test_without_a_bound_nothing_waits(maxsize: int) -> None:
    queue: sl.FlowControlQueue[int] = sl.FlowControlQueue(maxsize)
    for item in range(100):
        queue.put_nowait(item)
    assert queue.qsize() == 100
    assert not queue.full()


async def test_an_empty_queue_refuses_get_nowait_and_holds_get(queue: sl.FlowControlQueue[int]) -> None:
    with pytest.raises(asyncio.QueueEmpty):
        queue.get_nowait()
    getting = asyncio.create_task(queue.get())
    await turns()
    assert not getting.done()
    queue.put_nowait(1)
    assert await getting == 1


async def test_cancelling_get_loses_nothing(queue: sl.FlowControlQueue[int]) -> None:
    getting = asyncio.create_task(queue.get())
    await turns()
    queue.put_nowait(1)
    getting.cancel()
    await asyncio.wait((getting,))
    assert queue.get_nowait() == 1


async def test_an_error_overtakes_the_items_and_is_raised_once(queue: sl.FlowControlQueue[int]) -> None:
    queue.put_nowait(1)
    queue.throw(KeyError("thrown"))
    with pytest.raises(KeyError, match="thrown"):
        await queue.get()
    assert await queue.get() == 1


async def test_an_error_wakes_a_waiting_reader(queue: sl.FlowControlQueue[int]) -> None:
    getting = asyncio.create_task(queue.get())
    await turns()
    queue.throw(KeyError("thrown"))
    with pytest.raises(KeyError, match="thrown"):
        await getting


async def test_clear_forgets_the_items_and_makes_room(queue: sl.FlowControlQueue[int]) -> None:
    queue.put_nowait(1)
    queue.put_nowait(2)
    putting = asyncio.create_task(queue.put(3))
    await turns()
    queue.clear()
    await putting
    assert await queue.get() == 3


async def test_a_retired_queue_takes_items_and_forgets_them(queue: sl.FlowControlQueue[int]) -> None:
    queue.put_nowait(1)
    queue.put_nowait(2)
    putting = asyncio.create_task(queue.put(3))
    await turns()
    queue.retire()
    await putting
    queue.put_nowait(4)
    assert queue.qsize() == 2
    queue.revive()
    queue.get_nowait()
    queue.put_nowait(5)
    assert [queue.get_nowait(), queue.get_nowait()] == [2, 5]


async def test_join_waits_until_every_item_is_done(queue: sl.FlowControlQueue[int]) -> None:
    await queue.join()
    queue.put_nowait(1)
    joining = asyncio.create_task(queue.join())
    queue.get_nowait()
    await turns()
    assert not joining.done()
    queue.task_done()
    await joining
    with pytest.raises(ValueError, match="too many"):
        queue.task_done()


async def test_drain_takes_items_as_they_are_asked_for(queue: sl.FlowControlQueue[int]) -> None:
    queue.put_nowait(1)
    queue.put_nowait(2)
    draining = queue.drain()
    assert next(draining) == 1
    assert queue.qsize() == 1
    assert list(draining) == [2]


async def test_put_waits_while_flow_control_is_suspended() -> None:
    flow = FlowControlEvent()
    queue: sl.FlowControlQueue[int] = sl.FlowControlQueue(2, flow_control=flow)
    flow.suspend()
    putting = asyncio.create_task(queue.put(1))
    await turns()
    assert not putting.done()
    flow.resume()
    await putting
    assert queue.qsize() == 1


async def test_a_channel_waits_while_its_app_is_suspended(app: sl.App) -> None:
    channel = app.channel()
    iterator = aiter(channel)
    app.flow_control.suspend()
    putting = asyncio.create_task(channel.put(1))
    await turns()
    assert not putting.done()
    app.flow_control.resume()
    await putting
    assert await anext(iterator) == 1


async def test_a_reader_is_woken_on_its_own_loop_by_another_thread(queue: sl.FlowControlQueue[int]) -> None:
    getting = asyncio.create_task(queue.get())
    await until(lambda: queue.filled._waiters)
    thread = threading.Thread(target=queue.put_nowait, args=(1,))
    thread.start()
    async with asyncio.timeout(5):
        assert await getting == 1
    thread.join()


async def test_a_bell_passes_over_waiters_whose_loop_is_closed() -> None:
    bell = Bell()
    loop = asyncio.new_event_loop()
    bell._waiters.append((loop, loop.create_future()))
    loop.close()
    waiting = asyncio.create_task(bell.wait(lambda: False))
    await turns()
    bell.ring()
    await waiting


async def test_a_bell_is_not_waited_for_when_it_is_ready_already() -> None:
    bell = Bell()
    await bell.wait(lambda: True)
    assert not bell._waiters


async def test_a_bell_is_waited_for_no_longer_than_asked() -> None:
    bell = Bell()
    async with asyncio.timeout(5):
        await bell.wait(lambda: False, timeout_s=0.01)
        await bell.wait(lambda: False, timeout_s=-1)
    assert not bell._waiters


async def test_threads_that_put_and_get_lose_and_double_nothing() -> None:
    queue: sl.FlowControlQueue[int] = sl.FlowControlQueue(3)
    got: list[int] = []

    async def put(begin: int) -> None:
        for item in range(begin, begin + 300):
            await queue.put(item)

    async def get() -> None:
        for _ in range(300):
            got.append(await queue.get())

    async with asyncio.timeout(20):
        await asyncio.gather(
            asyncio.to_thread(lambda: asyncio.run(put(0))), asyncio.to_thread(lambda: asyncio.run(get())), put(300), get()
        )
    assert sorted(got) == list(range(600))
