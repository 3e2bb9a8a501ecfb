import re

import pytest

import streamlab as sl
from streamlab.broker.base import ClusterInfo, TopicInfo
from streamlab.display import app_html, errors_html, event_html, message_html, stream_html, topic_html
from streamlab.errors import TopicNotFound
from streamlab.failures import ErrorLog, StreamError

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"


def message(**changes: object) -> sl.Message:
    given: dict[str, object] = {
        "topic": "orders",
        "partition": 1,
        "offset": 301204,
        "timestamp": 1700000000.5,
        "timestamp_type": 0,
        "headers": [("trace", b"a"), ("trace", b"b"), ("empty", None), ("raw", b"\xff")],
        "key": b"a-1",
        "value": b'{"id": 9007199254740993}',
        **changes,
    }
    return sl.Message(**given)  # type: ignore[arg-type]


def texts(html: str) -> list[str]:
    return [text.strip() for text in re.findall(r">([^<>]+)<", html) if text.strip()]


def test_a_message_shows_its_place_its_time_and_its_payload_as_it_is_written() -> None:
    shown = texts(message_html(message()))
    assert "orders[1] @ 301204" in shown
    assert "2023-11-14T22:13:20.500Z (set by the producer)" in shown
    assert "bytes, 24 bytes" in shown
    assert "{\n  &quot;id&quot;: 9007199254740993\n}" in shown


def test_headers_are_shown_in_order_with_their_duplicates() -> None:
    shown = texts(message_html(message()))
    assert shown[shown.index("Headers") + 3 :] == ["trace", "a", "trace", "b", "empty", "None", "raw", "b&#x27;\\xff&#x27;"]


def test_headers_may_be_a_mapping_or_missing() -> None:
    assert "trace" in message_html(message(headers={"trace": b"a"}))
    assert "Headers" not in message_html(message(headers=None))


@pytest.mark.parametrize("timestamp", [-62135596800.0, -1e18, 1e18, float("nan"), None])
def test_no_timestamp_breaks_a_card(timestamp: float | None) -> None:
    assert "timestamp" in message_html(message(timestamp=timestamp))


def test_a_tombstone_shows_as_none() -> None:
    assert "None" in texts(message_html(message(value=None)))


def test_a_message_of_ten_megabytes_makes_a_small_card() -> None:
    assert len(message_html(message(value=b'{"a": "' + b"x" * 10_000_000 + b'"}'))) < 20_000


def test_payload_text_is_never_markup() -> None:
    raw = HOSTILE.encode()
    hostile = message(topic=HOSTILE, key=raw, value=raw, headers=[(HOSTILE, raw)])
    shown = message_html(hostile)
    assert "<script" not in shown
    assert "<img" not in shown


def test_an_event_shows_the_decoded_value_and_the_size_on_the_wire(app: sl.App) -> None:
    event = app.create_event("a-1", {"id": 9007199254740993}, [], message())
    shown = texts(event_html(event))
    assert "dict, 24 bytes" in shown
    assert "str, 3 bytes" in shown
    assert "{\n  &quot;id&quot;: 9007199254740993\n}" in shown
    assert shown.count("trace") == 2


def test_cells_show_cards_for_events_messages_topics_streams_and_apps(app: sl.App) -> None:
    shown = message()
    topic = app.topic("orders")
    for thing in (shown, app.create_event("k", 1, None, shown), topic, topic.stream(), app):
        assert thing._repr_html_().startswith('<div class="streamlab-card"')


def test_a_topic_shows_its_types_and_how_to_go_on(app: sl.App) -> None:
    shown = texts(topic_html(app.topic("orders", key_type="int64", value_type=dict)))
    assert "int64" in shown
    assert "dict" in shown
    assert "not asked yet: await app.refresh()" in shown
    assert "topic.peek(10)" in shown


def test_a_topic_shows_the_partitions_that_were_last_seen(app: sl.App) -> None:
    app.last_topics = {"orders": TopicInfo("orders", (0, 1, 2), internal=False)}
    assert "orders: 3, lost: not there" in texts(topic_html(app.topic("orders", "lost")))
    assert "those of the topics that match the pattern" in texts(topic_html(app.topic(pattern="or.*")))


async def test_a_stream_shows_its_counters_and_its_processors_in_order(app: sl.App) -> None:
    stream = app.stream([1, 2, 3, 4])
    stream.filter(lambda value: value % 2)
    stream.add_processor(str)
    stream.processors.disable("str")
    assert [value async for value in stream] == [1, 3]
    shown = texts(stream_html(stream))
    rows = shown[shown.index("time an event") + 1 :]
    assert rows[2:6] == ["filter", "4", "2", "2"]
    assert rows[rows.index("str") :][:3] == ["str", "off", "processor"]
    assert shown[shown.index("mode") + 1] == "local"
    assert shown[shown.index("events") + 1].startswith("2")


async def test_errors_of_a_stream_are_counted_in_its_card(app: sl.App) -> None:
    stream = app.stream([0])
    stream.add_processor(lambda value: 1 / value)
    with pytest.raises(ZeroDivisionError):
        [value async for value in stream]
    assert "1, see stream.errors" in texts(stream_html(stream))


async def test_the_processor_that_works_just_now_is_named(app: sl.App) -> None:
    stream = app.stream([1])
    seen = []

    def look(value: int) -> int:
        seen.append(texts(stream_html(stream)))
        return value

    stream.add_processor(look)
    assert [value async for value in stream] == [1]
    assert seen[0][seen[0].index("working in") + 1] == "look"
    assert "working in" not in texts(stream_html(stream))


async def test_a_topic_stream_shows_that_it_observes_and_how_far_it_is(app: sl.App) -> None:
    topic = app.topic("orders")
    for number in range(10):
        await topic.send(value=number)
    stream = topic.stream(start="earliest", stop="end")
    assert len([value async for value in stream]) == 10
    shown = texts(stream_html(stream))
    assert shown[shown.index("mode") + 1] == "observe"
    assert shown[shown.index("progress") + 1] == "100%"
    assert shown[shown.index("taken up to") + 2 :][:4] == ["orders", "0", "10", "0"]


async def test_lag_is_shown_as_a_number(app: sl.App, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = app.topic("orders").stream(start="earliest")
    monkeypatch.setattr(stream.feed, "lag", lambda _: {sl.TP("orders", 0): 1200, sl.TP("orders", 1): 34})
    shown = texts(stream_html(stream))
    assert shown[shown.index("lag") + 1] == "1,234"


async def test_an_app_shows_the_cluster_as_it_was_last_seen_its_streams_and_agents(app: sl.App) -> None:
    assert "not asked yet: await app.refresh()" in app_html(app)
    app.last_cluster = ClusterInfo("c-1", ("h1:9092", "h2:9092"))
    app.last_topics = {
        "orders": TopicInfo("orders", tuple(range(4)), internal=False),
        "__consumer_offsets": TopicInfo("__consumer_offsets", (0,), internal=True),
    }

    async def ship(orders: object) -> None: ...

    app.agent(app.channel())(ship)
    stream = app.topic("orders").stream()
    shown = texts(app_html(app))
    assert "c-1, brokers: h1:9092, h2:9092" in shown
    assert shown[shown.index("Topics as last seen") + 3 :][:2] == ["orders", "4"]
    assert "__consumer_offsets" not in shown
    assert shown[shown.index("Streams") + 7 :][:6] == ["Topic: orders", "observe", stream.stats().state, "0", "0", "0"]
    assert any("ship" in text for text in shown)


async def test_failures_of_agents_are_counted_in_the_card_of_the_app(app: sl.App) -> None:
    app.errors.add(bad(1))
    assert "1, see app.errors" in texts(app_html(app))


def test_a_thousand_topics_make_a_small_card(app: sl.App) -> None:
    app.last_topics = {f"t{n}": TopicInfo(f"t{n}", (0,), internal=False) for n in range(1000)}
    shown = app_html(app)
    assert "… and 970 more" in shown
    assert len(shown) < 20_000


async def test_a_closed_app_says_so_and_gives_no_hints() -> None:
    app = sl.App("display-closed", broker="memory://display")
    app.close()
    assert "display-closed (closed)" in texts(app_html(app))
    assert "app.refresh" not in app_html(app).replace("not asked yet: await app.refresh()", "")


async def test_no_card_shows_a_password() -> None:
    app = sl.App(
        "display-secret",
        broker="kafka://localhost:1",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_plain_username="ada",
        sasl_plain_password="hunter2",
    )
    topic = app.topic("orders")
    shown = [app_html(app), topic_html(topic), stream_html(topic.stream()), repr(app), repr(topic)]
    app.close()
    assert not any("hunter2" in text for text in shown)


def bad(offset: int, **changes: object) -> StreamError:
    given: dict[str, object] = {
        "topic": "orders",
        "partition": 0,
        "offset": offset,
        "timestamp": 0.0,
        "key": None,
        "data": b"\xff" * 1000,
        "error": ValueError(HOSTILE),
        "processor": "enrich",
        **changes,
    }
    return StreamError(**given)  # type: ignore[arg-type]


def test_errors_are_shown_the_latest_first_and_escaped() -> None:
    log = ErrorLog()
    for offset in range(100):
        log.add(bad(offset))
    shown = errors_html(log)
    assert "<script" not in shown
    assert "ValueError" in texts(shown)
    assert texts(shown).index("99") < texts(shown).index("98")
    assert "100, the latest 30 shown" in texts(shown)


def test_an_error_of_decoding_has_no_processor() -> None:
    log = ErrorLog()
    log.add(StreamError("orders", 1, 1, 0.0, None, None, sl.ValueDecodeError("no")))
    assert "decoding" in texts(errors_html(log))


def test_no_errors_are_a_line() -> None:
    assert "<table" not in errors_html(ErrorLog())


def test_offsets_are_shown_as_they_are_typed_in() -> None:
    assert "301204" in texts(message_html(message()))
    log = ErrorLog()
    log.add(StreamError("orders", 1, 301204, 0.0, None, b"x", ValueError("no"), "f"))
    assert "301204" in texts(errors_html(log))


def test_an_error_of_the_stream_itself_is_none_of_decoding() -> None:
    log = ErrorLog()
    log.add(StreamError(None, None, None, None, None, None, TopicNotFound("There is no topic 'nope'.")))
    found = texts(errors_html(log))
    assert "the stream" in found
    assert "decoding" not in found


def test_an_error_of_decoding_is_not_told_twice() -> None:
    log = ErrorLog()
    error = sl.ValueDecodeError("ValidationError: Expected `int`", topic="orders", partition=1, offset=3, data=b"{}")
    log.add(StreamError("orders", 1, 3, 0.0, None, b"{}", error))
    shown = texts(errors_html(log))
    assert "ValidationError: Expected `int`" in shown
    assert not any("cannot decode" in text for text in shown)


async def test_the_list_of_processors_shows_itself_as_a_table(app: sl.App) -> None:
    stream = app.stream([1, 2])
    stream.processors.add(str, name=HOSTILE + "x" * 5_000 + "\n\u202e")
    stream.filter(bool)
    assert [value async for value in stream] == ["1", "2"]
    html = stream.processors._repr_html_()
    assert "<script" not in html
    shown = texts(html)
    assert shown[shown.index("filter") - 1 :][:6] == ["bool", "filter", "2", "2", "0", "0"]
    assert len(repr(stream.processors)) < 100
    assert len(repr(stream.processors[0])) < 120


async def test_stats_show_themselves_in_a_line_and_as_a_card(app: sl.App) -> None:
    stream = app.stream([1, 2], processors=[str])
    assert [value async for value in stream] == ["1", "2"]
    stats = stream.stats()
    assert repr(stats) == "<StreamStats: init, 2 events (0/s), 0 errors>"
    shown = texts(stats._repr_html_())
    assert shown[shown.index("events") + 1] == "2 (0/s)"
    assert shown[shown.index("str") + 1 :][:3] == ["processor", "2", "2"]
