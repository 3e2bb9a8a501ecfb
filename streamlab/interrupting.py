"""Processors that are awaited when their stream is stopped, or when they are taken out: they get a moment, and then are interrupted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamlab.loops import Loop
    from streamlab.processors import Processor
    from streamlab.streams import Stream

__all__ = ["Interrupted", "Wait", "interruptible", "leaves_by_itself"]

INTERRUPT_S = 0.5
"""An asynchronous processor may go on for so long after its stream was stopped, or it was taken out."""


class Interrupted(BaseException):
    """Raised where a processor was awaited that its stream does not wait for any more."""


def leaves_by_itself(error: BaseException) -> bool:
    """Tell whether a processor raised this of its own accord: nobody cancelled, stopped or closed the loop that runs it."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and not task.cancelling()
    return not isinstance(error, Interrupted | GeneratorExit)


class Wait:
    """A task that waits for what a processor does."""

    __slots__ = ("interrupted", "over", "processor", "task")

    def __init__(self, processor: Processor) -> None:
        self.processor = processor
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.interrupted = self.over = False

    def interrupt_later(self) -> None:
        """Give it some time to end, from any thread."""
        loop = self.task.get_loop()
        with contextlib.suppress(RuntimeError):  # its loop is closed: it is dead already
            loop.call_soon_threadsafe(loop.call_later, INTERRUPT_S, self._interrupt)

    def _interrupt(self) -> None:
        if not (self.over or self.interrupted):
            self.interrupted = True
            self.task.cancel()


async def interruptible(
    stream: Stream[Any], awaitable: Awaitable[Any], wanted: Callable[[], bool], loop: Loop, processor: Processor
) -> Any:
    """Await what a processor does; Interrupted when the stream is stopped, or it is replaced, removed or switched off, and does not end soon."""
    wait = loop.wait = Wait(processor)
    stream._waits.add(wait)
    if not (wanted() and processor.is_active):
        wait.interrupt_later()
    try:
        return await awaitable
    except asyncio.CancelledError:
        if not wait.interrupted or wait.task.cancelling() > 1:
            raise
        raise Interrupted from None
    finally:
        wait.over = True
        loop.wait = None
        stream._waits.discard(wait)
        if wait.interrupted:
            wait.task.uncancel()
