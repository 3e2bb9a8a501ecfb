import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from streamlab.errors import InvalidState
from streamlab.runtime import io


async def current_thread() -> threading.Thread:
    return threading.current_thread()


async def forever(started: threading.Event, cancelled: threading.Event) -> None:
    started.set()
    try:
        await asyncio.Event().wait()
    finally:
        cancelled.set()


def test_a_coroutine_runs_on_the_one_daemon_thread() -> None:
    first, second = io.wait(current_thread()), io.submit(current_thread()).result(5)
    assert first is second
    assert first.name == "streamlab-io"
    assert first.daemon


def test_an_exception_comes_to_the_caller() -> None:
    async def fail() -> None:
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        io.wait(fail())


def test_a_wait_that_times_out_cancels_the_coroutine() -> None:
    started, cancelled = threading.Event(), threading.Event()
    with pytest.raises(TimeoutError):
        io.wait(forever(started, cancelled), 0.01)
    assert cancelled.wait(5)


def test_an_interrupted_wait_cancels_the_coroutine() -> None:
    started, cancelled = threading.Event(), threading.Event()
    main = threading.get_ident()

    def interrupt() -> None:
        started.wait(5)
        while sys._current_frames()[main].f_code.co_name != "wait":
            time.sleep(0.001)  # until the main thread waits for the result
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        io.wait(forever(started, cancelled))
    thread.join()
    assert cancelled.wait(5)


async def test_on_io_is_awaited_from_another_loop() -> None:
    assert (await io.on_io(current_thread())).name == "streamlab-io"


async def test_cancelling_the_awaiter_cancels_the_coroutine() -> None:
    started, cancelled = threading.Event(), threading.Event()
    task = asyncio.create_task(io.on_io(forever(started, cancelled)))
    await asyncio.to_thread(started.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(cancelled.wait, 5)


def test_on_io_on_the_io_loop_just_awaits() -> None:
    assert io.wait(io.on_io(current_thread())).name == "streamlab-io"


def test_a_plain_wait_on_the_io_thread_is_refused() -> None:
    async def wrong() -> None:
        io.wait(current_thread())

    with pytest.raises(InvalidState, match="I/O thread"):
        io.wait(wrong())


def test_the_end_cancels_tasks_and_the_next_use_starts_again() -> None:
    started, cancelled = threading.Event(), threading.Event()
    io.submit(forever(started, cancelled))
    assert started.wait(5)
    loop = io.io_loop()
    io._end()
    assert cancelled.is_set()
    assert loop.is_closed()
    assert io.wait(current_thread()).is_alive()


def test_at_the_end_readers_get_time_and_connections_are_closed_after_them() -> None:
    said: list[str] = []
    begun = threading.Event()

    async def reads() -> None:
        task = asyncio.current_task()
        assert task is not None
        io.end_first.add(task)
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            said.append("reader left")

    async def close() -> None:
        await asyncio.sleep(0)
        said.append("closed")

    io.close_at_end(close)
    io.submit(reads())
    assert begun.wait(5)
    io._end()
    assert said == ["reader left", "closed"]


def test_what_is_closed_earlier_is_not_closed_again_at_the_end() -> None:
    closed = threading.Semaphore(0)

    async def close() -> None:
        closed.release()

    io.wait(current_thread())
    io.close_at_end(close)
    io.close_now(close)
    assert closed.acquire(timeout=5)
    io._end()
    assert not closed.acquire(blocking=False)
    io.close_now(close)  # nothing runs any more


def test_ending_what_never_started_does_nothing() -> None:
    io._end()
    io._end()
    assert "streamlab-io" not in {thread.name for thread in threading.enumerate()}


def test_a_child_forgets_the_thread_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = io.wait(current_thread())
    monkeypatch.setattr(io, "_current", io._current)
    monkeypatch.setattr(io, "_of_parents", [])
    io._forget_in_child()
    io._forget_in_child()
    assert io.wait(current_thread()) is not parents
    io._end()
    assert [left.thread for left in io._of_parents] == [parents]


CHILD = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from streamlab.runtime import io

async def answer():
    return 42

assert io.wait(answer(), 5) == 42
child = os.fork()
if child == 0:
    os._exit(0 if io.wait(answer(), 5) == 42 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert io.wait(answer(), 5) == 42
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is Unix's")
def test_a_forked_child_gets_a_thread_of_its_own_and_the_parent_keeps_its() -> None:
    subprocess.run([sys.executable, "-c", CHILD], check=True, timeout=30)
