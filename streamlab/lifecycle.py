"""How streams start and stop: one by one, as chains, and with the nodes of a combined stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from streamlab.errors import AlreadyStarted, ImproperlyConfigured, InvalidState, StreamClosed
from streamlab.runtime.relay import Relay

if TYPE_CHECKING:
    from streamlab.streams import Stream

__all__ = [
    "close_iterators",
    "close_soon",
    "end_loops",
    "halt",
    "hold",
    "loop_begins",
    "loop_ends",
    "related",
    "reopen",
    "resumed",
    "run_callback",
    "start",
    "stop_draining",
    "walk",
]

STOP_S = 1.0
FINALIZER_TURNS = 2
"""So soon after it was dropped, by a ``break``, an asynchronous generator has been closed by its loop."""


def walk(stream: Stream[Any], step: Callable[[Stream[Any]], Stream[Any] | None]) -> Iterator[Stream[Any]]:
    """Yield the stream and what the step leads to; RuntimeError when it leads back."""
    seen: set[int] = set()
    at: Stream[Any] | None = stream
    while at is not None:
        if id(at) in seen:
            raise InvalidState(f"the chain of {stream.shortlabel} leads back to itself")
        seen.add(id(at))
        yield at
        at = step(at)


def related(stream: Stream[Any]) -> list[Stream[Any]]:
    """Return the streams that stopping this one stops: its chain, the nodes that it combines, and theirs."""
    found: dict[int, Stream[Any]] = {}
    todo = chain_of(stream)
    while todo:
        other = todo.pop(0)
        if id(other) not in found:
            found[id(other)] = other
            for node in other.combined:
                if hasattr(node, "get_root_stream"):
                    todo.extend(chain_of(node))
    return list(found.values())


def chain_of(stream: Stream[Any]) -> list[Stream[Any]]:
    """Return the stream's chain from its root on; before that a stream that is no part of it, as a clone is."""
    chain = list(stream.get_root_stream()._iter_ll_forwards())
    return chain if stream in chain else [stream, *chain]


async def start(stream: Stream[Any]) -> None:
    """See ``Stream.start``."""
    if stream.started:
        raise AlreadyStarted("this stream is started; maybe_start() starts it only if need be")
    stream._started = True
    stream.state = "running"
    await stream.on_start()


async def run_callback(stream: Stream[Any]) -> None:
    """Run the ``on_start=`` callback, if there is one."""
    if stream._on_start is not None:
        result = stream._on_start()
        if hasattr(result, "__await__"):
            await result


def reopen(stream: Stream[Any]) -> None:
    """Make the whole chain, and what it combines, ready to be started again."""
    for other in related(stream):
        other._reset()
        other._source.reopen()


async def halt(stream: Stream[Any]) -> None:
    """Stop this stream and the nodes that it combines; its source is closed with its last reader."""
    if stream._halted:
        return
    stream.state = "stopping"
    stream._waiting_loops = [values for values in stream._iterators if values.ag_running]
    _mark_halted(stream)
    if stream._drive is not None:
        await stream._drive.finished(STOP_S)
    await stream.on_stop()
    for node in stream.combined:
        if not isinstance(node, Mapping):  # others may look keys up in it
            await node.remove_from_stream(stream)
    if all(user._halted for user in stream._source.users):
        stream._source.close()
        await stream._source.closed()
    stream.state = "shutdown"


def _mark_halted(stream: Stream[Any]) -> None:
    """Have its loops end, wherever they run, and no other begin."""
    stream._halted = True
    end_loops(stream)


def end_loops(stream: Stream[Any]) -> None:
    """Have its loops end, wherever they run."""
    stream._stops += 1
    stream.processors.call_attention()
    stream._source.bell.ring()
    drive = stream._drive
    if drive is not None:
        drive.look_up()
    for wait in list(stream._waits):
        wait.interrupt_later()


def hold(stream: Stream[Any], *, paused: bool) -> None:
    """Pause the loops over a stream and what feeds it, or let them go on; from any thread."""
    for other in stream._iter_ll_backwards():
        other._paused = paused
        other.processors.call_attention()
        other._source.bell.ring()


async def resumed(stream: Stream[Any], wanted: Callable[[], bool]) -> None:
    """Wait while the stream is paused and its loop is wanted."""
    while stream._paused and wanted():
        await stream._source.bell.wait(lambda: not (stream._paused and wanted()))


async def close_iterators(stream: Stream[Any]) -> None:
    """Close the loops that were left without being finished, so that what they had is acked."""
    for _ in range(FINALIZER_TURNS):
        await asyncio.sleep(0)
    for values in list(stream._iterators):
        said = values in stream._waiting_loops and stream._source.last_words(stream)
        if not values.ag_running and not said:
            await values.aclose()


async def stop_draining(stream: Stream[Any]) -> None:
    """Stop forwarding; what does not arrive soon is given back."""
    drain, stream._drain = stream._drain, None
    if drain is not None:
        if drain is asyncio.current_task():
            return
        if drain.get_loop() is not asyncio.get_running_loop():
            await _end_elsewhere(drain)
            return
        drain.cancel()
        await asyncio.wait((drain,))
    if stream._forwarder is not None:
        await stream._forwarder.rest(STOP_S)


async def _end_elsewhere(task: asyncio.Task[None]) -> None:
    """End a task of another loop; wait for that, or whoever goes on finds its stream started, but not for a loop that is busy."""
    loop, here = task.get_loop(), asyncio.get_running_loop()
    ended = asyncio.Event()
    told: Relay[None] = Relay(here, lambda _: ended.set())

    def cancel() -> None:
        task.cancel()
        task.add_done_callback(lambda _: told.put(None))

    with contextlib.suppress(RuntimeError, TimeoutError):  # RuntimeError: its loop is closed, it is dead already
        loop.call_soon_threadsafe(cancel)
        async with asyncio.timeout(STOP_S if loop.is_running() else 0):
            await ended.wait()


def close_soon(stream: Stream[Any]) -> None:
    """Stop from any thread, without waiting and without raising."""
    stream.state = "shutdown"
    stream._source.close()
    _mark_halted(stream)
    drain = stream._drain
    if drain is not None:
        with contextlib.suppress(RuntimeError):  # its loop is closed: it is dead already
            drain.get_loop().call_soon_threadsafe(drain.cancel)
    if stream._drive is not None:
        stream._drive.cancel_soon()


async def loop_begins(stream: Stream[Any], *, keep_going: bool) -> None:
    """Start the stream if it is not: then the end of its last loop puts it to rest."""
    if stream.app.closed:
        raise StreamClosed(f"app {stream.app.id!r} was closed: make a new App, and its streams again")
    if stream.join_strategy is not None and not stream.combined and stream._merger() is None:
        raise ImproperlyConfigured(
            f"{type(stream.join_strategy).__name__} needs another side: write (this & other).inner_join(...), or "
            "this.combine(other).inner_join(...)"
        )
    if stream._loops and not stream.app.conf.ack_on_error:
        await _let_abandoned_loops_end()
    stream._finalized = True
    stream.task_owner = asyncio.current_task()
    stream._loops += 1
    stream._source.begin(stream, keep_going=keep_going)
    if not stream.started and not stream._halted:
        stream._implicit = True
        try:
            await stream.maybe_start()
        except BaseException:
            await loop_ends(stream)
            raise


async def _let_abandoned_loops_end() -> None:
    """Give a loop that was left by an exception, and which asyncio closes in a task of its own, the turns to give its value back."""
    for _ in range(FINALIZER_TURNS):
        await asyncio.sleep(0)


async def loop_ends(stream: Stream[Any]) -> None:
    """Put the chain to rest after the last loop over a stream that a loop had started, ready for the next one."""
    stream._loops -= 1
    if not stream._loops:
        await stream._source.rest()
    if stream._implicit and not stream._loops and not stream._halted:
        for other in related(stream):
            await stop_draining(other)
            if not other._halted:
                other._reset()
