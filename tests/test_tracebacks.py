"""What is kept of a traceback: the user's places, as text, and none of the frames."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from typing import Any

import pytest

import streamlab as sl
from streamlab.failures import StreamError
from tests.streaming import first, put_all, until


def failing(value: dict[str, Any]) -> Any:
    return price_of(value)


def price_of(value: dict[str, Any]) -> Any:
    return value["price"]


async def failure_of(app: sl.App, *processors: Any, value: Any = None) -> StreamError:
    stream = app.stream([value or {"a": 1}], processors=processors).run()
    await until(lambda: stream not in sl.running())
    [entry] = stream.errors
    return entry


async def test_it_shows_the_users_code_alone(app: sl.App) -> None:
    text = (await failure_of(app, failing)).traceback_text
    assert text.splitlines() == [
        "Traceback (most recent call last):",
        f'  File "{__file__}", line {failing.__code__.co_firstlineno + 1}, in failing',
        "    return price_of(value)",
        f'  File "{__file__}", line {price_of.__code__.co_firstlineno + 1}, in price_of',
        '    return value["price"]',
        "KeyError: 'price'",
    ]


async def test_an_async_processors_frames_are_there_and_asyncios_are_not(app: sl.App) -> None:
    async def late(value: Any) -> Any:
        import asyncio

        async with asyncio.timeout(5):
            await asyncio.sleep(0)
            return await asyncio.wait_for(later(value), 5)

    async def later(value: Any) -> Any:
        return price_of(value)

    text = (await failure_of(app, late)).traceback_text
    assert [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith("  File")] == ["late", "later", "price_of"]


async def test_it_tells_what_led_to_an_error(app: sl.App) -> None:
    def wrapped(value: Any) -> Any:
        try:
            return price_of(value)
        except KeyError as error:
            raise ValueError("no price") from error

    text = (await failure_of(app, wrapped)).traceback_text
    assert text.index("KeyError: 'price'") < text.index("direct cause") < text.index("ValueError: no price")


async def test_it_has_at_most_20_lines_of_bounded_length(app: sl.App) -> None:
    def endless(value: Any) -> Any:
        return endless(value)

    text = (await failure_of(app, endless)).traceback_text
    assert len(text.splitlines()) == 20
    assert " more lines" in text
    assert text.splitlines()[-1].startswith("RecursionError")

    def wordy(value: Any) -> Any:
        raise ValueError("x" * 100_000)

    assert len((await failure_of(app, wordy)).traceback_text) < 2000


async def test_a_record_that_cannot_be_decoded_has_no_frames_to_show(app: sl.App) -> None:
    topic = app.topic("t", value_type=int, partitions=1)
    await topic.send(value=b"two", value_serializer="raw")
    stream = topic.stream(start="earliest", stop="end").run()
    await until(lambda: stream not in sl.running())
    text = stream.errors[0].traceback_text
    assert "ValueDecodeError" in text
    assert "streamlab/" not in text.replace("streamlab.errors", "")


class Big:
    """Something that a frame holds."""


async def test_a_stream_in_the_background_keeps_no_frames(app: sl.App) -> None:
    seen: list[weakref.ref[Big]] = []

    def wrapped(value: Any) -> Any:
        big = Big()
        seen.append(weakref.ref(big))
        try:
            raise KeyError(value)
        except KeyError as error:
            raise ValueError(value) from error

    entry = await failure_of(app, wrapped)
    gc.collect()
    assert seen[0]() is None
    assert entry.error.__traceback__ is None
    assert "in wrapped" in entry.traceback_text


async def test_a_loop_in_a_cell_raises_the_whole_traceback(app: sl.App) -> None:
    stream = app.stream([{}], processors=[failing])
    with pytest.raises(KeyError) as raised:
        await first(1, stream)
    assert [entry.name for entry in raised.traceback][-2:] == ["failing", "price_of"]


async def test_an_error_has_the_headers_and_the_timestamps_type(app: sl.App) -> None:
    topic = app.topic("t", partitions=1)
    headers = [("a", b"1"), ("a", b"2")]
    await topic.send(value=1, headers=headers)
    channel = app.channel()
    for stream in (topic.stream(start="earliest"), channel.stream()):
        stream.add_processor(failing)
        stream.run()
    await channel.send(value=1, headers=headers)
    streams = app.streams()
    await until(lambda: all(stream.errors.total for stream in streams))
    for stream in streams:
        assert (list(stream.errors[0].headers), stream.errors[0].timestamp_type) == (headers, 0)
        await stream.stop()


async def test_plain_values_have_no_headers(app: sl.App) -> None:
    entry = await failure_of(app, failing)
    assert (entry.headers, entry.timestamp_type) == (None, None)


IN_A_SHELL = """
import asyncio
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(history_length=0)
for cell in (
    "import streamlab as sl\\napp = sl.App('shell', broker='memory://shell')",
    "def half(value):\\n    return value / 0",
    "s = app.stream([1], processors=[half]).run()\\nwhile s in sl.running(): pass",
    "print(s.errors[0].traceback_text)",
):
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
"""


def test_a_notebooks_cell_is_named_as_ipython_does() -> None:
    run = subprocess.run([sys.executable, "-c", IN_A_SHELL], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-4:] == [
        "Traceback (most recent call last):",
        "  Cell In[2], line 2, in half",
        "    return value / 0",
        "ZeroDivisionError: division by zero",
    ]


async def test_many_errors_are_bounded_by_their_number_and_their_bytes(app: sl.App) -> None:
    topic = app.topic("t", partitions=1)
    await topic.declare()
    stream = topic.stream(start="earliest", processors=[failing]).run()
    stream.errors.max_bytes = 10_000
    for _ in range(20):
        await topic.send(value=b"x" * 3000, value_serializer="raw")
    await until(lambda: stream.errors.total == 20)
    assert [entry.offset for entry in stream.errors] == [17, 18, 19]
    await stream.stop()


async def test_the_latest_error_is_kept_whatever_its_size(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream(processors=[failing]).run()
    stream.errors.max_bytes = 10
    await put_all(channel, [b"x" * 100])
    await until(lambda: stream.errors.total == 1)
    assert len(stream.errors) == 1
    stream.errors.clear()
    assert stream.errors._bytes == 0
    await stream.stop()


async def test_the_errors_of_a_group_are_told_with_their_places(app: sl.App) -> None:
    async def price(value: Any) -> Any:
        return price_of(value)

    async def number(value: Any) -> int:
        return int(next(iter(value)))

    async def both(value: Any) -> Any:
        import asyncio

        async with asyncio.TaskGroup() as group:
            group.create_task(price(value))
            group.create_task(number(value))

    entry = await failure_of(app, both)
    lines = entry.traceback_text.splitlines()
    assert [line for line in lines if line.startswith(("KeyError", "ValueError", "ExceptionGroup"))] == [
        "ValueError: invalid literal for int() with base 10: 'a'",
        "KeyError: 'price'",
        "ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)",
    ]
    assert '    return value["price"]' in lines
    assert lines.count("The above exception is one of those in the following group:") == 2
    group: Any = entry.error
    assert [one.__traceback__ for one in group.exceptions] == [None, None]
