"""The log of what went wrong on a stream, and the policies for records that cannot be decoded."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import streamlab as sl
from streamlab.failures import ErrorLog, StreamError
from tests.streaming import first, rest, until


def entry(number: int = 0, **changes: Any) -> StreamError:
    given = {"topic": "t", "partition": 0, "offset": number, "timestamp": 1.5, "key": b"k", "data": b"v" * 100}
    return StreamError(**{**given, "error": KeyError(number), **changes})


def test_it_keeps_the_latest_and_counts_all() -> None:
    log = ErrorLog(maxlen=3)
    for number in range(5):
        log.add(entry(number))
    assert [error.offset for error in log] == [2, 3, 4]
    assert (len(log), log.total, log[0].offset) == (3, 5, 2)
    assert repr(log) == "<ErrorLog: 5 in all, 3 kept>"


def test_clear_forgets_the_entries_and_keeps_the_total() -> None:
    log = ErrorLog()
    log.add(entry())
    log.clear()
    assert (len(log), log.total) == (0, 1)


def test_the_first_bytes_are_64_of_bytes_or_of_a_repr() -> None:
    assert entry().first_bytes == b"v" * 64
    assert entry(data=None).first_bytes is None
    assert entry(data=b"").first_bytes == b""
    assert entry(data={"a": "x" * 100}).first_bytes == repr({"a": "x" * 100})[:64]


def test_its_frame_has_a_row_an_error() -> None:
    log = ErrorLog()
    error = ValueError("outer")
    error.__cause__ = KeyError("inner")
    log.add(entry(7, error=error, processor="clean"))
    (row,) = log.to_frame().to_dict("records")
    assert (row["topic"], row["partition"], row["offset"], row["processor"]) == ("t", 0, 7, "clean")
    assert (row["error"], row["message"], row["cause"]) == ("ValueError", "outer", "KeyError('inner')")


def test_an_empty_frame_has_the_same_columns() -> None:
    log = ErrorLog()
    empty = list(log.to_frame().columns)
    log.add(entry())
    assert list(log.to_frame().columns) == empty


def test_it_shows_itself_escaped() -> None:
    log = ErrorLog()
    log.add(entry(error=ValueError("<script>")))
    assert "<script>" not in log._repr_html_()


def test_threads_may_add_while_others_read() -> None:
    log = ErrorLog(maxlen=10)

    def add() -> None:
        for number in range(1000):
            log.add(entry(number))

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        list(log)
    assert log.total == 3000


async def later(error: Exception) -> None:
    """A policy that would have to be awaited."""


@pytest.mark.parametrize("bad", ["ignore", None, 3, later])
def test_a_policy_is_checked(app: sl.App, bad: Any) -> None:
    with pytest.raises(ValueError, match="on_error"):
        sl.Stream(aiter(app.channel()), app=app, on_error=bad)


class TestDecoding:
    @pytest.fixture
    async def topic(self, app: sl.App) -> sl.Topic[Any]:
        """A topic whose middle record is no number."""
        topic = app.topic("numbers", value_type=int, partitions=1)
        for value in (b"1", b"two", b"3"):
            await topic.send(key="k", value=value, value_serializer="raw")
        return topic

    async def test_by_default_it_raises_and_the_next_loop_goes_on_behind(self, topic: sl.Topic[Any]) -> None:
        stream = topic.stream(start="earliest", stop="end")
        running = aiter(stream)
        assert await anext(running) == 1
        with pytest.raises(sl.ValueDecodeError, match=r"numbers partition 0 offset 1.*two"):
            await anext(running)
        assert await rest(stream) == [3]
        assert stream.current_event is None

    async def test_skip_passes_over_and_keeps_it(self, topic: sl.Topic[Any]) -> None:
        stream = topic.stream(start="earliest", stop="end", on_error="skip")
        assert await rest(stream) == [1, 3]
        (error,) = stream.errors
        assert (error.topic, error.partition, error.offset, error.data, error.key) == ("numbers", 0, 1, b"two", b"k")
        assert error.processor is None
        assert isinstance(error.error, sl.ValueDecodeError)
        assert error.error.__cause__ is not None

    async def test_a_function_gives_the_value_or_skips(self, topic: sl.Topic[Any]) -> None:
        stream = topic.stream(start="earliest", stop="end", on_error=lambda error: (error.offset or 0) * 100)
        assert await rest(stream) == [1, 100, 3]
        stream = topic.stream(start="earliest", stop="end", on_error=lambda error: None)
        assert await rest(stream) == [1, 3]

    @pytest.mark.parametrize("again", [True, False])
    async def test_a_function_that_fails_does_not_end_a_stream_in_the_background(self, topic: sl.Topic[Any], again: bool) -> None:
        def fail(error: sl.DecodeError) -> None:
            raise error if again else KeyError("policy")

        seen: list[int] = []
        stream = topic.stream(start="earliest", stop="end", on_error=fail, processors=[seen.append])
        stream.run()
        await until(lambda: seen == [1, 3])
        kinds = [(error.offset, type(error.error)) for error in stream.errors]
        assert kinds == [(1, sl.ValueDecodeError), (1, KeyError)][: 1 if again else 2]
        with pytest.raises(sl.ValueDecodeError if again else KeyError):
            await rest(topic.stream(start="earliest", stop="end", on_error=fail))

    async def test_the_topics_policy_is_its_streams(self, app: sl.App, topic: sl.Topic[Any]) -> None:
        lenient = app.topic("numbers", value_type=int, on_error="skip")
        assert await rest(lenient.stream(start="earliest", stop="end")) == [1, 3]

    async def test_a_key_is_checked_when_it_has_a_type(self, app: sl.App, topic: sl.Topic[Any]) -> None:
        keyed = app.topic("numbers", key_type=int)
        with pytest.raises(sl.KeyDecodeError, match="cannot decode the key of numbers"):
            await first(1, keyed.stream(start="earliest"))
        stream = keyed.stream(start="earliest", stop="end", on_error="skip")
        assert await rest(stream) == []
        assert [error.first_bytes for error in stream.errors] == [b"k"] * 3

    async def test_with_a_value_of_the_policy_a_bad_key_stays_bytes(self, app: sl.App, topic: sl.Topic[Any]) -> None:
        keyed = app.topic("numbers", key_type=int, on_error=lambda error: f"{error.part} {error.offset}")
        expected = [(b"k", f"key {offset}") for offset in range(3)]
        assert await rest(keyed.stream(start="earliest", stop="end").items()) == expected
        (batch,) = await rest(keyed.stream(start="earliest", stop="end").take(9))
        assert [(event.key, event.value) for event in batch.events if event] == expected

    async def test_a_raw_reader_gets_the_error_of_a_bad_key(self, app: sl.App, topic: sl.Topic[Any]) -> None:
        reader = aiter(app.topic("numbers", key_type=int))
        await topic.send(key="k", value=4)
        with pytest.raises(sl.KeyDecodeError):
            await anext(reader)

    async def test_a_key_that_a_function_lets_pass_stays_bytes(self, app: sl.App, topic: sl.Topic[Any]) -> None:
        keyed = app.topic("numbers", key_type=int, value_type=int, on_error=lambda e: f"{type(e).__name__} at {e.offset}")
        stream = keyed.stream(start="earliest", stop="end")
        passed = [(b"k", f"KeyDecodeError at {offset}") for offset in (0, 2)]
        assert [item async for item in stream.items()] == [passed[0], (b"k", "ValueDecodeError at 1"), passed[1]]

    async def test_in_a_batch_what_was_before_comes_first(self, topic: sl.Topic[Any]) -> None:
        batches = topic.stream(start="earliest", stop="end").take(10)
        assert await anext(batches) == [1]
        with pytest.raises(sl.ValueDecodeError):
            await anext(batches)

    async def test_a_skipped_record_is_acked_in_a_group(self, app: sl.App, topic: sl.Topic[Any]) -> None:
        stream = topic.stream(group="g", on_error="skip").noack()
        running = aiter(stream)
        assert [await anext(running), await anext(running)] == [1, 3]
        assert len(app.consumer.unacked) == 2
        await running.aclose()

    async def test_a_processors_failure_has_the_records_place(self, topic: sl.Topic[Any]) -> None:
        stream = topic.stream(start="earliest", processors=[lambda value: value / 0])
        with pytest.raises(ZeroDivisionError):
            await first(1, stream)
        error = stream.errors[0]
        assert (error.topic, error.offset, error.data, error.processor) == ("numbers", 0, b"1", "<lambda>")

    async def test_a_failure_on_a_channels_event_has_its_message(self, app: sl.App) -> None:
        channel = app.channel()
        stream = channel.stream(processors=[lambda value: value / 0])
        await channel.send(key="k", value=1, timestamp=12.5)
        with pytest.raises(ZeroDivisionError):
            await first(1, stream)
        assert (stream.errors[0].key, stream.errors[0].data, stream.errors[0].timestamp) == ("k", 1, 12.5)

    async def test_a_stream_keeps_the_latest_thousand(self, app: sl.App) -> None:
        stream = app.stream(range(1005), processors=[lambda value: value / 0])
        for _ in range(1005):
            with pytest.raises(ZeroDivisionError):
                await first(1, stream)
        assert (len(stream.errors), stream.errors.total, stream.errors[0].data) == (1000, 1005, 5)

    async def test_a_failure_on_a_plain_value_has_the_value(self, app: sl.App) -> None:
        stream = app.stream([1], processors=[lambda value: value / 0])
        with pytest.raises(ZeroDivisionError):
            await first(1, stream)
        assert (stream.errors[0].topic, stream.errors[0].data) == (None, 1)
