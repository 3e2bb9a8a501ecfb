"""A function tried on the last messages: what it makes of them is seen, and nothing changes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from functools import partial
from typing import Any

import pytest

import streamlab as sl
from streamlab.errors import InvalidState, InvalidType, InvalidValue
from streamlab.events import current_event
from streamlab.views import in_time, trial
from tests.streaming import put_all, until
from tests.views.conftest import Explore
from tests.views.exploring import filled


@pytest.fixture
async def stream(app: sl.App) -> sl.Stream[Any]:
    """Of ten orders, not shown."""
    return (await filled(app, 10)).stream(start="earliest")


async def test_without_an_explorer_the_topics_last_messages_are_tried(stream: sl.Stream[Any]) -> None:
    found = stream.preview(lambda order: order["id"] * 2, n=3)
    assert [outcome.after for outcome in found.outcomes] == [14, 16, 18]
    assert [outcome.row.offset for outcome in found.outcomes] == [7, 8, 9]
    assert found.summary.startswith("3 ok, 0 skipped, 0 errors, ")
    assert repr(found).startswith("<Preview: <lambda> on 3 messages: 3 ok")
    frame = found.to_frame()
    assert frame["value"].tolist() == [14, 16, 18]
    assert frame.index.tolist() == [(0, 7), (0, 8), (0, 9)]


async def test_the_window_is_tried_when_there_is_one(app: sl.App, explore: Explore) -> None:
    channel = app.channel()
    stream = channel.stream()
    with pytest.raises(InvalidState, match="show the stream first, then preview"):
        stream.preview(str)
    browser = explore(stream)
    with pytest.raises(InvalidState, match="show the stream first, then preview"):
        stream.preview(str)
    await put_all(channel, [1, 2])
    await until(lambda: browser.explorer.shown.window.messages == 2)
    found = stream.preview(str)
    assert [outcome.after for outcome in found.outcomes] == ["1", "2"]
    assert found.to_frame()["value"].tolist() == ["1", "2"]
    await stream.stop()


async def test_of_a_stream_that_is_made_of_others_what_was_shown_is_tried(app: sl.App, explore: Explore) -> None:
    topic = await filled(app, 3)
    read = partial(topic.stream, start="earliest")
    users = {0: "zero", 2: "two"}
    by_id = read().combine(users).left_join(lambda order: order["id"])
    by_id.processors.add(lambda row: row.right, name="user")
    made = {
        "combine": read() & read(),
        "InnerJoin on": (read() & read()).inner_join(),
        "tumbling": read().tumbling(1, by=()).count(),
        "LeftJoin on": by_id,
    }
    for name, stream in made.items():
        with pytest.raises(InvalidState, match=f"made of others \\({name}.*Show it first"):
            stream.preview(str)
    browser = explore(by_id)
    await until(lambda: browser.explorer.shown.window.messages == 3)
    counted = by_id.stats().counters
    assert counted == {"matched": 2, "unmatched": 1}
    assert [outcome.after for outcome in by_id.preview(str).outcomes] == ["zero", "None", "two"]
    before = by_id.preview(lambda row: (row.left["id"], row.right, row.key), name="user")
    assert [outcome.after for outcome in before.outcomes] == [(0, "zero", 0), (1, None, 1), (2, "two", 2)]
    assert by_id.stats().counters == counted
    browser = explore(made["combine"])
    await until(lambda: browser.explorer.shown.window.messages == 6)
    assert made["combine"].preview(lambda order: order["id"]).to_frame()["value"].tolist() == [0, 0, 1, 1, 2, 2]


async def test_rows_of_joins_and_windows_are_tried_as_they_are(app: sl.App, explore: Explore) -> None:
    channel = app.channel()
    joined = (channel.stream() & channel.stream()).inner_join()
    windows = channel.stream().tumbling(10, by=()).count()
    browsers = [explore(joined), explore(windows)]
    for at_s in (1.0, 2.0, 70.0):
        await channel.send(key="k", value={"at": at_s}, timestamp=at_s)
    await until(lambda: [browser.explorer.shown.window.messages for browser in browsers] == [5, 1])
    pairs = joined.preview(lambda row: (row.left["at"], row.right["at"], row.key))
    assert sorted(outcome.after for outcome in pairs.outcomes) == [
        (1.0, 1.0, "k"), (1.0, 2.0, "k"), (2.0, 1.0, "k"), (2.0, 2.0, "k"), (70.0, 70.0, "k"),
    ]  # fmt: skip
    assert [outcome.after for outcome in windows.preview(lambda window: window.count).outcomes] == [2]
    assert windows.preview(lambda window: window).to_frame()["count"].tolist() == [2]
    for stream in (joined, windows):
        await stream.stop()


def some(order: Any) -> Any:
    """Skips, fails and passes."""
    if order["id"] % 3 == 0:
        raise sl.Skip
    if order["id"] % 3 == 1:
        raise ValueError(f"no {order['id']}")
    return order


async def some_async(order: Any) -> Any:
    await asyncio.sleep(0)
    return some(order)


@pytest.mark.parametrize("function", [some, some_async])
async def test_what_is_skipped_and_what_fails_is_told_apart(stream: sl.Stream[Any], function: Any) -> None:
    found = stream.preview(function)
    assert [outcome.status for outcome in found.outcomes] == ["skipped", "error", "ok"] * 3 + ["skipped"]
    assert [str(outcome.error) for outcome in found.errors] == ["no 1", "no 4", "no 7"]
    assert found.summary.startswith("3 ok, 4 skipped, 3 errors, ")
    html = found._repr_html_()
    assert "ValueError: no 4" in html
    assert "skipped" in html


async def test_only_the_first_results_are_shown_and_it_says_so(app: sl.App) -> None:
    stream = (await filled(app, 11)).stream(start="earliest")
    assert ">Results, the first 10 of 11<" in stream.preview(lambda order: order)._repr_html_()
    assert ">Errors, the first 10 of 11<" in stream.preview(lambda order: order["no"])._repr_html_()


async def test_what_leaves_by_other_ways_is_an_error_too(stream: sl.Stream[Any]) -> None:
    for error in (SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit):

        def leave(_: Any, error: type[BaseException] = error) -> Any:
            raise error

        found = stream.preview(leave, n=2)
        assert [outcome.status for outcome in found.outcomes] == ["error", "error"]
        assert not found.unfinished


async def test_any_result_is_shown(stream: sl.Stream[Any]) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise ValueError("no repr")

        __hash__ = None  # type: ignore[assignment]

    results: list[Any] = [Odd(), {"a": {1, 2}}, [[]], "<script>", b"\xff", float("nan"), None, "\ud800"]
    for result in results:
        found = stream.preview(partial(lambda result, _: result, result), n=1)
        assert found.outcomes[0].status == "ok"
        assert "<script>" not in found._repr_html_()
        assert len(found.to_frame()) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((3,), InvalidType, "takes a function of one value, not 3"),
        ((None, 5), InvalidType, "takes a function of one value, not None"),
        ((str, 0), InvalidValue, "n at least 1; not 0"),
        ((str, "10"), InvalidValue, "n at least 1; not '10'"),
    ],
)
async def test_wrong_arguments_are_refused(stream: sl.Stream[Any], arguments: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        stream.preview(*arguments)


async def test_a_function_of_no_or_two_arguments_fails_on_each(stream: sl.Stream[Any]) -> None:
    found = stream.preview(lambda: 1, n=2)  # type: ignore[misc, arg-type]
    assert [type(outcome.error) for outcome in found.errors] == [TypeError, TypeError]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_slow_function_is_stopped_at_the_limit(
    stream: sl.Stream[Any], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(in_time, "LIMIT_S", 0.2)
    monkeypatch.setattr(in_time, "LAST_WORDS_S", 0.1)
    release = threading.Event()

    def slow(order: Any) -> Any:
        return release.wait(5) if order["id"] == 1 else order

    async def slow_too(order: Any) -> Any:
        return await asyncio.sleep(5) if order["id"] == 1 else order

    began = time.monotonic()
    found = stream.preview(slow if kind == "sync" else slow_too)
    assert time.monotonic() - began < 5
    assert found.unfinished
    assert "of 10 messages: 0.2 s were over" in found.summary
    tried = len(found.outcomes)
    release.set()
    for thread in threading.enumerate():
        if thread.name == "streamlab-trial":
            thread.join(5)
    assert len(found.outcomes) == tried  # what comes too late changes nothing that was shown


async def test_an_endless_loop_is_ended_and_shows_as_an_error(stream: sl.Stream[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_time, "LIMIT_S", 0.2)

    def endless(_order: object) -> None:
        while True:
            with contextlib.suppress(Exception):
                sum(range(100))

    found = stream.preview(endless)
    assert found.unfinished
    assert [str(outcome.error) for outcome in found.errors] == ["it went on for 0.2 s, and was ended"]
    for thread in threading.enumerate():
        if thread.name == "streamlab-trial":
            thread.join(5)
            assert not thread.is_alive()


async def test_nothing_changes(app: sl.App, explore: Explore) -> None:
    topic = await filled(app, 6)
    stream = topic.stream(start="earliest", group="g")
    written = app.topic("written", partitions=1)

    @stream.processor
    def first(order: Any) -> Any:
        order["first"] = True
        return order

    stream.echo(written)
    browser = explore(stream)
    await until(lambda: browser.explorer.shown.window.messages == 6)
    before = (
        stream.stats().processors,
        stream.events_total,
        stream.errors.total,
        [row.value for row in browser.explorer.shown.window.latest(9)],
    )

    def change(order: Any) -> Any:
        order.clear()
        raise ValueError(order)

    found = stream.preview(change)
    assert len(found.errors) == 6
    assert all("first" in outcome.before for outcome in found.outcomes)
    assert before == (
        stream.stats().processors,
        stream.events_total,
        stream.errors.total,
        [row.value for row in browser.explorer.shown.window.latest(9)],
    )
    assert browser.explorer.shown.window.latest(1)[0].value == {"id": 5, "amount": 7.5, "first": True}
    assert len(written.peek(100)) == 6
    assert stream.processors.names[:1] == ["first"]
    await stream.stop()


async def test_it_gets_the_values_at_its_place(stream: sl.Stream[Any]) -> None:
    for name in ("one", "two", "three"):
        stream.processors.add(lambda order, name=name: {**order, name: 1}, name=name)  # type: ignore[misc]
    stream.processors.disable("one")
    keys = stream.preview(sorted, n=1, name="three").outcomes[0].after
    assert keys == ["amount", "id", "two"]
    assert stream.preview(sorted, n=1).outcomes[0].after == ["amount", "id", "three", "two"]


async def test_values_that_do_not_reach_it_are_counted(stream: sl.Stream[Any]) -> None:
    stream.filter(lambda order: order["id"] > 7)
    stream.processors.add(lambda order: 1 / (order["id"] - 9), name="divides")
    found = stream.preview(lambda order: order)
    assert found.summary.startswith("1 ok, 0 skipped, 0 errors, 9 did not reach it, ")


async def test_it_knows_the_current_event(stream: sl.Stream[Any]) -> None:
    def place(_: Any) -> Any:
        event = current_event()
        assert event is not None
        return event.message.offset

    assert [outcome.after for outcome in stream.preview(place, n=2).outcomes] == [8, 9]
    assert current_event() is None


async def test_it_knows_the_current_event_of_its_stream_and_of_no_other(app: sl.App, stream: sl.Stream[Any]) -> None:
    other = app.channel().stream()

    def place(_: Any) -> Any:
        assert stream.current_event is not None
        return stream.current_event.message.offset, other.current_event

    assert [outcome.after for outcome in stream.preview(place, n=2).outcomes] == [(8, None), (9, None)]
    assert stream.current_event is None


async def test_what_is_returned_is_shown_as_it_was_then(stream: sl.Stream[Any], explore: Explore) -> None:
    seen: list[int] = []

    def gather(order: Any) -> Any:
        seen.append(order["id"])
        return seen

    found = stream.preview(gather, n=3)
    assert [outcome.shown for outcome in found.outcomes] == ["[7]", "[7, 8]", "[7, 8, 9]"]
    assert ">[7, 8]</td>" in found._repr_html_()


async def test_a_function_that_yields_is_refused(stream: sl.Stream[Any]) -> None:
    with pytest.raises(InvalidType, match="<lambda> yields, so that a generator would come out of it"):
        stream.preview(lambda order: (yield order))


async def test_what_is_awaited_for_ever_is_an_error_that_says_so(stream: sl.Stream[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_time, "LIMIT_S", 0.2)

    async def waits(_order: object) -> None:
        await asyncio.Event().wait()

    async def times_out(_order: object) -> None:
        raise TimeoutError("its own")

    assert [str(outcome.error) for outcome in stream.preview(waits).errors] == ["it went on for 0.2 s, and was ended"]
    assert [str(outcome.error) for outcome in stream.preview(times_out, n=1).errors] == ["its own"]


def test_the_time_of_one_is_told_in_a_unit_that_suits_it() -> None:
    times = [(2e-6, "2.0 µs"), (0.0123, "12.3 ms"), (1.5, "1.5 s")]
    outcomes: Any = [trial.Outcome(None)]  # type: ignore[arg-type] # no row is needed
    for seconds, text in times:
        assert trial.Preview("f", 1, outcomes, seconds).summary == f"1 ok, 0 skipped, 0 errors, {text} each"


async def test_code_that_is_not_through_in_time_is_told_and_ended(
    explore: Explore, stream: sl.Stream[Any], notebook: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_time, "LIMIT_S", 0.2)
    monkeypatch.setattr(in_time, "LAST_WORDS_S", 0.1)
    notebook["release"] = threading.Event()
    browser = explore(stream)
    loop = "while True: sum(range(100))\ndef f(order): return order"
    waits = "release.wait(5)\ndef f(order): return order"
    for action in ("try", "apply"):
        assert browser.refused(action, name="", code=loop) == "line 1: TimeIsOver: it went on for 0.2 s, and was ended"
        assert browser.refused(action, name="", code=waits).startswith("this is not through after 0.2 s")
    notebook["release"].set()
    assert stream.processors.names == []


async def test_others_are_answered_while_a_trial_goes_on(
    stream: sl.Stream[Any], explore: Explore, notebook: dict[str, Any]
) -> None:
    browser = explore(stream)
    await until(lambda: browser.explorer.shown.window.messages == 10)
    notebook["release"] = release = threading.Event()
    request = {"t": "do", "view": "a", "rid": "7", "action": "try", "args": {"code": "def f(order): release.wait(5)"}}
    browser.explorer._heard(browser.explorer, request, [])
    browser.explorer._heard(browser.explorer, request | {"rid": "8", "action": "pause", "args": {}}, [])
    assert [reply["rid"] for reply, _ in browser.sent] == ["8"]
    release.set()
    await until(lambda: [reply["rid"] for reply, _ in browser.sent] == ["8", "7"])


async def test_what_is_tried_from_the_view_is_told(stream: sl.Stream[Any], explore: Explore, notebook: dict[str, Any]) -> None:
    browser = explore(stream)
    await until(lambda: browser.explorer.shown.window.messages == 10)
    code = "def f(order):\n    return 1 / (order['id'] - 4)"
    found = browser.do("try", name="", code=code)
    assert (found["tried"], found["ok"], found["errors"], found["unfinished"]) == (10, 9, 1, False)
    assert found["failures"][0] | {"where": "0 / 4", "error": "ZeroDivisionError: division by zero"} == found["failures"][0]
    assert found["failures"][0]["traceback"].splitlines()[1].endswith(", line 2, in f")
    assert [row["where"] for row in found["rows"][:2]] == ["0 / 0", "0 / 1"]
    assert stream.processors.names == []
    raises = "class Bad(Exception):\n    def __str__(self): return 1 / 0\ndef f(order): raise Bad"
    assert browser.do("try", name="", code=raises)["failures"][0]["error"] == "Bad: <Bad that cannot be shown: ZeroDivisionError>"
    browser.do("clear")
    assert browser.do("try", name="", code=code)["tried"] == 10  # of the topic
