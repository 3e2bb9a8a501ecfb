"""Agents: functions of a stream that are kept running."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from streamlab.errors import InvalidValue
from streamlab.failures import StreamError
from streamlab.lifecycle import close_iterators
from streamlab.processors import Processor
from streamlab.texts import clean
from streamlab.unsupported import AGENT, SEND_OPTIONS, missing, refuse

if TYPE_CHECKING:
    from typing import Self

    from streamlab.app import App
    from streamlab.channels import Channel
    from streamlab.streams import Stream

__all__ = ["Agent", "cancel_soon", "current_agent"]

AgentFunction = Callable[["Stream[Any]"], Awaitable[Any] | AsyncIterator[Any]]
OnAgentError = Callable[["Agent", BaseException], Any]
STOP_S = 2.0
TURNS = 20
BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)

logger = logging.getLogger("streamlab")
logger.addHandler(logging.NullHandler())

_current_agent: ContextVar[Agent | None] = ContextVar("streamlab_current_agent", default=None)


def current_agent() -> Agent | None:
    """Return the agent whose function is running, None outside."""
    return _current_agent.get()


class Agent:
    """An async function of a stream that is kept running.

    When it fails, the value that it had is acked (see ``App(ack_on_error=)``), the error goes to ``app.errors``, and
    the function is called again with the same stream: at once the first time, then after ever longer pauses.
    ``on_error``, sync or async, is called before, with the agent and the error.
    """

    def __init__(
        self,
        app: App,
        function: AgentFunction,
        channel: Channel[Any],
        *,
        name: str,
        concurrency: int = 1,
        group: str | None = None,
        on_error: OnAgentError | None = None,
    ) -> None:
        if concurrency < 1:
            raise InvalidValue(f"an agent cannot have a concurrency of {concurrency}: give 1 or more")
        self.app = app
        self.fun = function
        self.name = name
        self.channel = channel
        self.concurrency = concurrency
        self.group = group
        self.on_error = on_error
        self.restarts = 0
        self.streams: list[Stream[Any]] = []
        self._before: weakref.WeakKeyDictionary[Stream[Any], tuple[Processor, ...]] = weakref.WeakKeyDictionary()
        self._tasks: list[asyncio.Task[None]] = []
        self.__doc__ = function.__doc__

    def __call__(self, stream: Stream[Any]) -> Any:
        """Call the function itself, as in a test of it."""
        return self.fun(stream)

    async def send(self, *, key: Any = None, value: Any = None, **options: Any) -> Any:
        """Send a value to the agent's channel."""
        refuse("agent.send()", options, SEND_OPTIONS)
        return await self.channel.send(key=key, value=value, **options)

    async def cast(self, value: Any = None, *, key: Any = None, **options: Any) -> None:
        """Send a value to the agent's channel and forget about it."""
        await self.channel.send(key=key, value=value, **options)

    async def start(self) -> None:
        """Run on this loop from now on; harmless when it runs."""
        if self._tasks:
            return
        if self.group is not None:
            await self.channel.maybe_declare()
        if self._tasks:  # it was started twice at once: by its definition in an app that runs, and by app.start()
            return
        self.streams = self._open_streams()
        self._tasks = [asyncio.get_running_loop().create_task(self._run(stream), name=self.name) for stream in self.streams]

    def _open_streams(self) -> list[Stream[Any]]:
        options: dict[str, Any] = {"prefix": self.name}
        if self.concurrency > 1:
            options["concurrency_index"] = 0
        if self.group is not None:
            options["group"] = self.group
        first = self.channel.stream(**options)
        return [first, *(first.clone(concurrency_index=index) for index in range(1, self.concurrency))]

    async def _run(self, stream: Stream[Any]) -> None:
        _current_agent.set(self)
        failures = 0
        while not stream.should_stop:
            active = stream.get_active_stream()
            self._before[active] = active.processors.snapshot()
            try:
                await self._call(active)
            except Exception as error:
                logger.exception("agent %s failed and is started again", self.name)
                await self._report(error)
                await self._clean_up(stream, active)
            else:
                return
            self.restarts += 1
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1

    async def _report(self, error: Exception) -> None:
        self.app.errors.add(StreamError.of(error, self.name))
        if self.on_error is None:
            return
        try:
            told = self.on_error(self, error)
            if hasattr(told, "__await__"):
                await told
        except Exception as second:
            self.app.errors.add(StreamError.of(second, self.name))
            logger.exception("on_error of agent %s failed", self.name)

    async def _clean_up(self, stream: Stream[Any], active: Stream[Any]) -> None:
        """End the loops of a failed run, and take out the processors that it put on the stream that the next one gets."""
        end = stream.get_active_stream()
        await close_iterators(end)
        for _ in range(TURNS):  # loops that nobody holds any more are closed by tasks of their own
            if not end._loops:
                break
            await asyncio.sleep(0)
        end.processors.restore(self._before[active] if end is active else ())

    def forget_added(self, stream: Stream[Any]) -> None:
        """Take out what this run put on the stream so far: where it calls for a chain that is there, the origin has it."""
        if stream._prev is not None and stream in self._before:
            stream.processors.restore(self._before[stream])

    async def _call(self, stream: Stream[Any]) -> None:
        running = self.fun(stream)
        if hasattr(running, "__aiter__"):
            async for _ in running:
                pass
        elif hasattr(running, "__await__"):
            await running

    async def stop(self) -> None:
        """Stop it; returns within seconds even if the function does not want to end."""
        tasks, self._tasks = self._tasks, []
        for stream in self.streams:
            await stream.stop()
        running = [task for task in tasks if task is not asyncio.current_task()]
        if running:
            _, late = await asyncio.wait(running, timeout=STOP_S / 10)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=STOP_S)

    def cancel_soon(self) -> None:
        """Stop it from any thread, without waiting."""
        tasks, self._tasks = self._tasks, []
        cancel_soon(tasks)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise missing(self, name, AGENT)

    def __repr__(self) -> str:
        return clean(f"<Agent: {self.name} on {self.channel}>")


def cancel_soon(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks from any thread, without waiting."""
    for task in tasks:
        with contextlib.suppress(RuntimeError):  # its loop is closed: it is dead already
            task.get_loop().call_soon_threadsafe(task.cancel)
