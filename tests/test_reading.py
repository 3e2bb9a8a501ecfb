"""read, peek and topics_frame: plain calls."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import threading
import uuid
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import pytest
import tqdm.auto

import streamlab as sl
from streamlab import frame_builder, reading
from streamlab.broker.base import TopicInfo
from streamlab.errors import (
    BrokerUnavailable,
    InvalidPosition,
    InvalidState,
    InvalidValue,
    KeyDecodeError,
    MemoryLimitExceeded,
    TopicNotFound,
    ValueDecodeError,
)
from streamlab.interrupts import noticed
from streamlab.origins import Origins
from streamlab.runtime.feed import Feed
from streamlab.runtime.handover import Handover
from streamlab.runtime.io import wait

if TYPE_CHECKING:
    from tests.kafka.harness import KafkaCluster

T0_MS = 1_700_000_000_000


@pytest.fixture
def app() -> Iterator[sl.App]:
    app = sl.App("reading", broker=f"memory://{uuid.uuid4().hex}")
    yield app
    app.close()


def fill(
    app: sl.App, values: list[bytes | None], *, partitions: int = 1, topic: str = "orders", key: bytes | None = b"k"
) -> None:
    """Create a topic and write the values round the partitions, a second apart."""

    async def send() -> None:
        await app.client.create_topic(topic, partitions=partitions)
        for number, value in enumerate(values):
            await app.client.send(
                topic,
                key=key,
                value=value,
                partition=number % partitions,
                timestamp_ms=T0_MS + 1_000 * number,
                headers=[("h", b"1")],
            )

    wait(send())


def numbers(count: int) -> list[bytes | None]:
    return [b'{"n":%d}' % number for number in range(count)]


def test_reading_gives_every_message_as_a_row(app: sl.App) -> None:
    fill(app, numbers(10), partitions=3)
    frame = app.topic("orders").read()
    assert sorted(frame["n"]) == list(range(10))
    assert list(frame.columns) == ["timestamp", "key", "n"]
    assert frame.index.names == ["partition", "offset"]
    assert frame["n"].xs(1, level="partition").tolist() == [1, 4, 7]


def test_an_empty_topic_is_an_empty_frame(app: sl.App) -> None:
    fill(app, [])
    frame = app.topic("orders").read()
    assert len(frame) == 0
    assert list(frame.columns) == ["timestamp", "key"]


def test_a_topic_that_is_not_there_is_said_to_be_missing(app: sl.App) -> None:
    with pytest.raises(TopicNotFound):
        app.topic("nothing").read()
    with pytest.raises(TopicNotFound):
        app.topic("nothing").peek()


def test_start_and_stop_are_positions(app: sl.App) -> None:
    fill(app, numbers(10))
    topic = app.topic("orders")
    assert topic.read(start=-3)["n"].tolist() == [7, 8, 9]
    assert topic.read(start=2, stop=4)["n"].tolist() == [2, 3]
    moment = pd.Timestamp(T0_MS + 8_000, unit="ms", tz="UTC")
    assert topic.read(start=moment.to_pydatetime())["n"].tolist() == [8, 9]


@pytest.mark.parametrize("stop", [1000, "2100-01-01", {0: 1000}])
def test_a_stop_beyond_the_end_is_the_end(app: sl.App, stop: Any) -> None:
    fill(app, numbers(10))
    assert len(app.topic("orders").read(start=3, stop=stop)) == 7


def test_a_limit_ends_it_early(app: sl.App) -> None:
    fill(app, numbers(10))
    assert app.topic("orders").read(limit=4)["n"].tolist() == [0, 1, 2, 3]
    assert len(app.topic("orders").read(limit=0)) == 0


def test_a_limit_needs_no_stop(app: sl.App) -> None:
    fill(app, numbers(10))
    assert len(app.topic("orders").read(stop=None, limit=5)) == 5


@pytest.mark.parametrize("limit", [-1, 1.5, "10"])
def test_a_limit_is_a_number_of_messages(app: sl.App, limit: Any) -> None:
    with pytest.raises(InvalidValue, match="limit"):
        app.topic("orders").read(limit=limit)


def test_reading_without_an_end_is_refused(app: sl.App) -> None:
    with pytest.raises(InvalidPosition, match="limit="):
        app.topic("orders").read(stop=None)


def test_tombstones_are_rows(app: sl.App) -> None:
    fill(app, [b'{"n":1}', None])
    assert app.topic("orders").read()["n"].tolist() == [1, pd.NA]


def test_headers_come_on_request(app: sl.App) -> None:
    fill(app, numbers(1))
    assert app.topic("orders").read(headers=True)["headers"].tolist() == [[("h", b"1")]]


def test_several_topics_and_patterns_name_them(app: sl.App) -> None:
    fill(app, numbers(1), topic="a1")
    fill(app, numbers(1), topic="a2")
    assert sorted(app.topic("a1", "a2").read()["topic"]) == ["a1", "a2"]
    assert sorted(app.topic(pattern="a.*").read()["topic"]) == ["a1", "a2"]


def test_a_bad_value_is_raised_with_its_place(app: sl.App) -> None:
    fill(app, [b'{"n":1}', b"bad"])
    with pytest.raises(ValueDecodeError, match="orders partition 0 offset 1"):
        app.topic("orders", value_type=dict).read()


def test_bad_values_are_passed_over_or_replaced_if_told(app: sl.App) -> None:
    fill(app, [b'{"n":1}', b"bad", b'{"n":3}'])
    topic = app.topic("orders", value_type=dict, on_error="skip")
    assert topic.read()["n"].tolist() == [1, 3]
    assert topic.read(on_error=lambda error: {"n": error.offset})["n"].tolist() == [1, 1, 3]
    assert topic.read(on_error=lambda _: None)["n"].tolist() == [1, 3]
    with pytest.raises(ValueDecodeError):
        topic.read(on_error="raise")


def test_bad_keys_are_bad_too(app: sl.App) -> None:
    fill(app, numbers(2), key=b"x")
    topic = app.topic("orders", key_type=int)
    with pytest.raises(KeyDecodeError):
        topic.read()
    assert topic.read(on_error=lambda _: 7)["key"].tolist() == [b"x", b"x"]


def test_a_policy_that_is_none_is_refused(app: sl.App) -> None:
    with pytest.raises(InvalidValue, match="on_error"):
        app.topic("orders").read(on_error="ignore")


def test_too_much_for_the_memory_is_an_error_with_the_way_out(app: sl.App) -> None:
    fill(app, numbers(100))
    with pytest.raises(MemoryLimitExceeded, match=r"orders would need .* kB or more.*max_bytes is 500 bytes.*limit="):
        app.topic("orders").read(max_bytes=500)


def test_what_would_be_too_much_is_seen_early(app: sl.App, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(app, numbers(100), partitions=10)
    monkeypatch.setattr(reading, "GUESS_FROM_ROWS", 1)
    monkeypatch.setattr(Feed, "progress", lambda _: 0.1)
    with pytest.raises(MemoryLimitExceeded, match="first 10 messages"):
        app.topic("orders").read(max_bytes=3_000)


def test_a_limit_counts_in_the_guess(app: sl.App, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(app, numbers(100), partitions=10)
    monkeypatch.setattr(reading, "GUESS_FROM_ROWS", 1)
    monkeypatch.setattr(Feed, "progress", lambda _: 0.1)
    assert len(app.topic("orders").read(max_bytes=3_000, limit=15)) == 15


@pytest.mark.parametrize(("size", "text"), [(999, "999 bytes"), (1_500_000, "2 MB"), (5.25e9, "5.2 GB"), (2e13, "20,000.0 GB")])
def test_sizes_are_for_people(size: float, text: str) -> None:
    assert reading._size(size) == text


@pytest.mark.parametrize("place", ["add", "_seal", "frame", "add_records", "get_nowait"])
def test_an_interrupt_anywhere_gives_whole_messages_and_says_so(app: sl.App, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    owner = {"add_records": Origins, "get_nowait": Handover}.get(place, frame_builder.FrameBuilder)
    work = getattr(owner, place)

    def interrupted(self: Any, *args: Any) -> Any:
        if place != "get_nowait" or self.buffered_records:
            monkeypatch.setattr(owner, place, work)
            signal.raise_signal(signal.SIGINT)
        return work(self, *args)

    monkeypatch.setattr(frame_builder, "CHUNK_ROWS", 20)
    fill(app, numbers(100), partitions=2)
    monkeypatch.setattr(owner, place, interrupted)
    with pytest.warns(UserWarning, match="orders was interrupted: these are the first (0|50|100) messages") as caught:
        frame = app.topic("orders").read()
    assert f"first {len(frame)} " in str(caught[0].message)
    assert len(frame) == {"get_nowait": 0, "frame": 100}.get(place, 50)
    assert caught[0].filename == __file__


def test_an_interrupt_while_nothing_comes_ends_it(app: sl.App, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(app, numbers(3))
    monkeypatch.setattr(Feed, "begin", lambda _: None)
    threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.warns(UserWarning, match="first 0 messages"):
        app.topic("orders").read()


def test_an_interrupt_in_another_threads_reading_is_not_its_own(app: sl.App) -> None:
    fill(app, numbers(3))
    before = signal.getsignal(signal.SIGINT)
    with ThreadPoolExecutor(1) as pool:
        assert len(pool.submit(app.topic("orders").read).result()) == 3
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interrupt_raises() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), noticed() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.seen
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("max_bytes", [0, -1, "1GB", None])
def test_the_memory_is_a_number_of_bytes(app: sl.App, max_bytes: Any) -> None:
    with pytest.raises(InvalidValue, match="max_bytes is a number of bytes"):
        app.topic("orders").read(max_bytes=max_bytes)


def test_an_isolation_that_is_none_is_refused(app: sl.App) -> None:
    with pytest.raises(InvalidValue, match='"read_uncommitted" or "read_committed", not \'serializable\''):
        app.topic("orders").read(isolation=cast("Any", "serializable"))
    with pytest.raises(InvalidValue, match="isolation"):
        app.topic("orders").stream(isolation=cast("Any", "serializable"))


def test_chunks_and_batches_make_no_difference(app: sl.App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_builder, "CHUNK_ROWS", 7)
    fill(app, numbers(100), partitions=4)
    frame = app.topic("orders").read()
    assert sorted(frame["n"]) == list(range(100))
    assert str(frame["n"].dtype) == "Int64"
    assert set(frame["timestamp"] - pd.to_timedelta(frame["n"].astype("int64"), unit="s")) == {
        pd.Timestamp(T0_MS, unit="ms", tz="UTC")
    }


def default(function: Any, name: str) -> Any:
    return inspect.signature(function).parameters[name].default


def test_what_is_not_said_is_as_the_guide_says() -> None:
    assert default(reading.read, "max_bytes") == 1_000_000_000
    assert [default(peek, "n") for peek in (reading.peek, sl.Topic.peek)] == [10, 10]
    assert [default(sl.Stream.to_frame, name) for name in ("n", "within")] == [1000, 5]
    assert [default(sl.Topic.read, name) for name in ("start", "stop", "limit")] == ["earliest", "end", None]
    assert reading.PATIENCE_S == 1


class Bar:
    """Stands in for tqdm."""

    made: list[Any]

    def __init__(self, *, total: int, desc: str, unit: str, leave: bool) -> None:
        assert not leave
        self.total, self.desc, self.unit, self.n, self.closed = total, desc, unit, 0, False
        self.made.append(self)

    def update(self, more: int) -> None:
        self.n += more

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setattr(Bar, "made", [], raising=False)
    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    return Bar.made


def test_a_long_reading_shows_its_progress(app: sl.App, bars: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PATIENCE_S", -1.0)
    fill(app, numbers(20), partitions=2)
    app.topic("orders").read()
    (bar,) = bars
    assert (bar.total, bar.n, bar.desc, bar.closed) == (20, 20, "orders", True)


def test_a_short_reading_shows_none(app: sl.App, bars: list[Any]) -> None:
    fill(app, numbers(20))
    app.topic("orders").read()
    assert bars == []


def test_progress_can_be_turned_off(app: sl.App, bars: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PATIENCE_S", -1.0)
    fill(app, numbers(20))
    app.topic("orders").read(progress=False)
    assert bars == []


def test_the_real_bar_leaves_no_thread(app: sl.App, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PATIENCE_S", -1.0)
    fill(app, numbers(20))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm's, about notebooks
        app.topic("orders").read()
    assert "orders" in capsys.readouterr().err
    assert not [thread for thread in threading.enumerate() if "Monitor" in type(thread).__name__]


async def test_plain_calls_work_while_a_loop_runs_in_this_thread(app: sl.App) -> None:
    await asyncio.to_thread(fill, app, numbers(5))
    topic = app.topic("orders")
    assert len(topic.read()) == 5
    assert len(topic.peek(2)) == 2
    assert len(app.topics_frame()) == 1


def test_plain_calls_work_in_any_thread(app: sl.App) -> None:
    fill(app, numbers(5))
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(app.topic("orders").read()))
    thread.start()
    thread.join(10)
    assert len(found[0]) == 5


def test_on_the_io_thread_they_say_that_they_cannot(app: sl.App) -> None:
    async def read() -> None:
        app.topic("orders").read()

    with pytest.raises(InvalidState, match="I/O thread"):
        wait(read())


def test_reading_leaves_nothing_behind(app: sl.App) -> None:
    fill(app, numbers(5))
    topic = app.topic("orders")
    topic.read(limit=1)

    async def tasks() -> set[str]:
        return {task.get_name() for task in asyncio.all_tasks()}

    assert "streamlab-feed" not in wait(tasks())


def test_peek_shows_the_last_messages_of_all_partitions_newest_last(app: sl.App) -> None:
    fill(app, numbers(10), partitions=3)
    batch = app.topic("orders").peek(4)
    assert list(batch) == [{"n": 6}, {"n": 7}, {"n": 8}, {"n": 9}]
    assert [event.message.offset for event in batch.events if event is not None] == [2, 2, 2, 3]
    assert batch.to_frame()["n"].tolist() == [6, 7, 8, 9]
    assert "4 values" in batch._repr_html_()


def test_peek_of_a_short_topic_shows_all(app: sl.App) -> None:
    fill(app, numbers(2))
    batch = app.topic("orders").peek()
    assert list(batch) == [{"n": 0}, {"n": 1}]
    assert batch.reason == "end"


def test_numbers_out_of_a_frame_are_taken(app: sl.App) -> None:
    fill(app, numbers(5))
    topic = app.topic("orders")
    assert len(topic.peek(np.int64(2))) == len(topic.read(limit=np.int64(2))) == 2


def test_peek_follows_the_topics_policy(app: sl.App) -> None:
    fill(app, [b'{"n":1}', b"bad"])
    with pytest.raises(ValueDecodeError):
        app.topic("orders", value_type=dict).peek()
    assert list(app.topic("orders", value_type=dict, on_error="skip").peek()) == [{"n": 1}]


@pytest.mark.parametrize("n", [0, -1, 1.5])
def test_peek_wants_a_number_of_messages(app: sl.App, n: Any) -> None:
    with pytest.raises(InvalidValue, match="at least 1"):
        app.topic("orders").peek(n)


def test_topics_frame_counts_partitions_and_messages(app: sl.App) -> None:
    fill(app, numbers(5), topic="b", partitions=2)
    fill(app, [], topic="a")
    frame = app.topics_frame()
    assert frame.to_dict("records") == [
        {"topic": "a", "partitions": 1, "messages": 0},
        {"topic": "b", "partitions": 2, "messages": 5},
    ]


def test_topics_frame_of_an_empty_cluster_is_empty(app: sl.App) -> None:
    assert app.topics_frame().empty


def test_a_topic_that_vanishes_meanwhile_is_not_counted(app: sl.App, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(app, numbers(1))
    real = app.client.topics
    answers = [{"gone": TopicInfo("gone", (0,), internal=False)}, None]

    async def topics() -> dict[str, TopicInfo]:
        return answers.pop(0) or await real()

    monkeypatch.setattr(app.client, "topics", topics)
    assert app.topics_frame()["topic"].tolist() == ["orders"]


def test_a_topic_that_keeps_vanishing_is_an_error(app: sl.App, monkeypatch: pytest.MonkeyPatch) -> None:
    async def topics() -> dict[str, TopicInfo]:
        return {"gone": TopicInfo("gone", (0,), internal=False)}

    monkeypatch.setattr(app.client, "topics", topics)
    with pytest.raises(TopicNotFound):
        app.topics_frame()


def test_kafka_is_read_to_the_end_and_left_as_it_is(kafka: KafkaCluster, topic_name: str) -> None:
    app = sl.App(topic_name, broker=kafka.url)
    try:
        fill(app, numbers(300), partitions=3, topic=topic_name)
        topic = app.topic(topic_name)
        frame = topic.read()
        assert sorted(frame["n"]) == list(range(300))
        assert {str(dtype) for dtype in frame.dtypes} == {"datetime64[ms, UTC]", "str", "Int64"}
        assert list(topic.peek(2)) == [{"n": 298}, {"n": 299}]
        assert app.topics_frame().set_index("topic").loc[topic_name].to_dict() == {"partitions": 3, "messages": 300}
        assert topic_name not in wait(app.client.groups())
    finally:
        app.close()


def test_kafka_that_is_not_there_is_an_error_soon() -> None:
    app = sl.App("nowhere", broker="kafka://localhost:1")
    try:
        for call in (app.topic("orders").read, app.topic("orders").peek, app.topics_frame):
            with pytest.raises(BrokerUnavailable, match="localhost:1"):
                call()
    finally:
        app.close()
