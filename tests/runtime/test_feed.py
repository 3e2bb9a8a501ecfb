"""The life of a feed, however it reads."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from streamlab.errors import ImproperlyConfigured, InvalidPosition, InvalidValue
from streamlab.events import TP
from streamlab.runtime import feed as feed_module
from streamlab.runtime import io
from streamlab.runtime.feed import Feed
from tests.runtime.conftest import MakeFeed
from tests.runtime.reading import Consumer, FailingBroker, send, until


def test_making_one_starts_nothing(broker: FailingBroker) -> None:
    threads = threading.active_count()
    feed = Feed(broker, ("orders",), start="earliest", stop="end")
    assert (feed.state, feed.state_detail, feed.lag(), feed.progress()) == ("idle", "", {}, None)
    assert (broker.readers, threading.active_count()) == ([], threads)


def test_a_position_that_is_none_is_refused_at_once(broker: FailingBroker) -> None:
    with pytest.raises(InvalidPosition, match="start='soon'"):
        Feed(broker, ("orders",), start="soon")
    with pytest.raises(InvalidPosition, match="stop='soon'"):
        Feed(broker, ("orders",), stop="soon")


def test_an_order_that_is_none_is_refused_as_it_was_written(broker: FailingBroker) -> None:
    with pytest.raises(InvalidPosition, match="start='-1h' lies after stop='-2h'"):
        Feed(broker, ("orders",), start="-1h", stop="-2h")


@pytest.mark.parametrize("group", ["", 5])
def test_a_group_has_a_name(broker: FailingBroker, group: Any) -> None:
    with pytest.raises(InvalidValue, match="consumer group has a name"):
        Feed(broker, ("orders",), group=group)


def test_an_isolation_that_is_none_is_refused_at_once(broker: FailingBroker) -> None:
    isolation: Any = "committed"
    with pytest.raises(InvalidValue, match=r"read_committed.*not 'committed'"):
        Feed(broker, ("orders",), isolation=isolation)


def test_partitions_of_a_group_cannot_be_chosen(broker: FailingBroker) -> None:
    with pytest.raises(ImproperlyConfigured, match="group 'g' assigns"):
        Feed(broker, ("orders",), group="g", partitions=frozenset({TP("orders", 0)}))


async def test_begin_from_many_threads_starts_it_once(broker: FailingBroker, feed: MakeFeed) -> None:
    reading = feed()
    threads = [threading.Thread(target=reading.begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    await until(lambda: reading.state == "reading")
    assert len(broker.readers) == 1


async def test_stop_stops_the_reader_and_ends_the_hand_over(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "abc")
    reading = feed(start="earliest")
    reading.begin()
    await until(lambda: reading.handover.readable)
    await reading.stop()
    assert (reading.state, reading.handover.ended, reading.handover.buffered_bytes) == ("stopped", True, 0)
    assert broker.readers[0].stopped
    await reading.stop()


async def test_what_ended_is_behind_until_all_of_it_is_taken(broker: FailingBroker, feed: MakeFeed) -> None:
    await send(broker, "orders", "ab")
    await send(broker, "orders", "cd", partition=1)
    reading = feed(start="earliest", stop="end")
    assert reading.behind({}) == {None}
    reading.begin()
    await until(lambda: reading.state == "ended")
    assert reading.behind({}) == {TP("orders", 0), TP("orders", 1)}
    while reading.handover.get_nowait() is not None:
        pass
    assert reading.behind({}) == set()
    assert reading.behind({TP("orders", 1): 0}) == {TP("orders", 1)}


async def test_a_stop_that_is_known_before_the_end_is_behind(broker: FailingBroker, feed: MakeFeed) -> None:
    reading = feed(start="earliest", stop="end")
    reading.placed = True
    reading.start_offsets = {TP("orders", 0): 0, TP("orders", 1): 5}
    reading.end_offsets = {TP("orders", 0): 5, TP("orders", 1): 5}
    assert reading.ends_known == {}
    assert reading.behind({}) == {TP("orders", 0)}


async def test_stop_while_it_connects_leaves_nothing_behind(broker: FailingBroker, feed: MakeFeed) -> None:
    broker.silent = True
    reading = feed()
    reading.begin()
    await until(lambda: reading.state == "connecting")
    await reading.stop()
    assert (reading.state, broker.readers) == ("stopped", [])


async def test_stop_before_it_begins_keeps_it_from_beginning(broker: FailingBroker, feed: MakeFeed) -> None:
    reading = feed()
    await reading.stop()
    assert reading.state == "stopped"
    reading.begin()
    assert reading.handover.ended
    assert broker.readers == []


async def test_stop_right_after_begin_keeps_it_from_beginning(broker: FailingBroker, feed: MakeFeed) -> None:
    async def at_once(reading: Feed) -> None:
        reading.begin()  # on the I/O thread: nothing can run in between
        reading.close_soon()

    reading = feed()
    await io.on_io(at_once(reading))
    await until(lambda: reading.handover.ended)
    assert (reading.state, broker.readers) == ("stopped", [])


async def test_stop_returns_in_time_when_the_broker_hangs(
    broker: FailingBroker, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "STOP_S", 0.1)
    reading = feed()
    reading.begin()
    await until(lambda: reading.state == "reading")
    broker.readers[0].hangs_on_stop = True
    began = time.monotonic()
    await reading.stop()
    assert time.monotonic() - began < 2
    assert reading.handover.ended
    broker.readers[0].hangs_on_stop = False
    await until(lambda: broker.readers[0].stopped)


async def test_close_soon_works_from_any_thread(feed: MakeFeed) -> None:
    reading = feed()
    reading.begin()
    await asyncio.to_thread(reading.close_soon)
    await until(lambda: reading.handover.ended)
    assert reading.state == "stopped"


async def test_close_soon_ends_the_fixing_of_a_start(broker: FailingBroker, feed: MakeFeed) -> None:
    broker.silent = True
    reading = feed()
    reading.fix_start(0.01)
    reading.close_soon()
    assert reading.state == "stopped"


async def test_close_soon_does_nothing_after_the_io_loop_has_ended(broker: FailingBroker) -> None:
    reading = Feed(broker, ("orders",))
    reading.begin()
    await until(lambda: reading.state == "reading")
    io._end()
    assert (reading.state, broker.readers[0].stopped) == ("stopped", True)
    reading.close_soon()


async def test_an_error_nobody_foresaw_comes_to_the_reader(broker: FailingBroker, feed: MakeFeed) -> None:
    reading = feed()
    reading.begin()
    await until(lambda: reading.state == "reading")
    broker.readers[0].fetch_error = LookupError("a defect")
    with pytest.raises(LookupError, match="a defect"):
        await Consumer(reading).to_end()
    assert (reading.state, reading.state_detail) == ("failed", "LookupError: a defect")
    await until(lambda: broker.readers[0].stopped)


async def test_a_stopped_feed_that_failed_keeps_its_state(broker: FailingBroker, feed: MakeFeed) -> None:
    reading = feed(("gone",))
    reading.begin()
    await until(lambda: reading.state == "failed")
    await reading.stop()
    assert reading.state == "failed"


def test_notes_of_several_are_one_and_are_told_apart_again(broker: FailingBroker) -> None:
    feed, tp = Feed(broker, ("orders",), group="g"), TP("orders", 0)
    assert (feed.note(tp), feed.noted(tp, "joined up to")) == ("", "")
    feed.notes_of |= {"joined up to": lambda _: "12.5", "nothing": lambda _: "", "2: joined up to": lambda at: str(at.partition)}
    feed.notes = {tp: feed.note(tp)}
    told = [feed.noted(tp, name) for name in ("joined up to", "nothing", "2: joined up to", "joined")]
    assert told == ["12.5", "", "0", "up to 12.5"]
    assert feed.noted(TP("orders", 1), "joined up to") == ""
