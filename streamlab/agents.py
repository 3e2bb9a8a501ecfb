"""Agents, tasks and timers: what runs from ``app.start()`` on."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from streamlab.channels import Channel, seconds
from streamlab.errors import InvalidType, InvalidValue
from streamlab.failures import StreamError
from streamlab.lifecycle import chain_of, close_iterators
from streamlab.processors import Processor, name_of

if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Self

    from streamlab.app import App
    from streamlab.streams import Stream

__all__ = ["Agent", "Background", "current_agent"]

AgentFunction = Callable[["Stream[Any]"], Awaitable[Any] | AsyncIterator[Any]]
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
    ) -> None:
        if concurrency < 1:
            raise InvalidValue(f"an agent cannot have a concurrency of {concurrency}: give 1 or more")
        self.app = app
        self.fun = function
        self.name = name
        self.channel = channel
        self.concurrency = concurrency
        self.group = group
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
                self.app.errors.add(StreamError(None, None, None, None, None, None, error, self.name))
                logger.exception("agent %s failed and is started again", self.name)
                await self._clean_up(stream, active)
            else:
                return
            self.restarts += 1
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1

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
        _cancel_soon(tasks)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    def __repr__(self) -> str:
        return f"<Agent: {self.name} on {self.channel}>"


class Background:
    """The agents, tasks and timers of one app."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._functions: list[tuple[Callable[..., Awaitable[Any]], float | None]] = []
        self._tasks: list[asyncio.Task[None]] = []

    def add_agent(
        self,
        function: AgentFunction,
        channel: str | Channel[Any] | None,
        *,
        name: str | None = None,
        concurrency: int = 1,
        **_options: Any,
    ) -> Agent:
        """Define an agent, or define it anew; in an app that is started it starts."""
        if not (inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)):
            raise InvalidType(f"an agent is an `async def` function of a stream, not {function!r}")
        app = self._app
        name = name or name_of(function)
        if channel is None:
            channel = app.topic(f"{app.id}-{name}", internal=True)
        elif isinstance(channel, str):
            channel = app.topic(channel)
        older = app.agents.pop(name, None)
        group = self._group(name, channel) if channel.serialized else None
        agent = app.agents[name] = Agent(app, function, channel, name=name, concurrency=concurrency, group=group)
        if older is not None:
            older.cancel_soon()
        if app.started and app.loop is not None:
            _start_soon(app.loop, older, agent)
        return agent

    def _group(self, name: str, channel: Channel[Any]) -> str:
        """Return the app's id; for a further agent on the same topic, which has to see all of it too, a group of its own."""
        taken = any(str(agent.channel) == str(channel) and agent.group == self._app.id for agent in self._app.agents.values())
        return f"{self._app.id}-{name}" if taken else self._app.id

    def add_task(self, function: Callable[..., Awaitable[Any]]) -> None:
        """Define a task."""
        self._functions.append((function, None))

    def add_timer(self, function: Callable[..., Awaitable[Any]], interval: float | timedelta | str) -> None:
        """Define a timer."""
        every_s = seconds(interval)
        if every_s <= 0:
            raise InvalidValue(f"a timer cannot run every {interval!r} seconds: give more than 0")
        self._functions.append((function, every_s))

    async def start(self) -> None:
        """Start what is defined and does not run."""
        for agent in list(self._app.agents.values()):
            await agent.start()
        loop = asyncio.get_running_loop()
        if not self._tasks:
            self._tasks = [loop.create_task(self._run(function, every_s)) for function, every_s in self._functions]

    async def _run(self, function: Callable[..., Awaitable[Any]], every_s: float | None) -> None:
        arguments = (self._app,) if inspect.signature(function).parameters else ()
        while True:
            if every_s is not None:
                await asyncio.sleep(every_s)
            try:
                await function(*arguments)
            except Exception as error:
                name = getattr(function, "__name__", "task")
                self._app.errors.add(StreamError(None, None, None, None, None, None, error, name))
                logger.exception("%s failed", name)
            if every_s is None:
                return

    async def stop(self) -> None:
        """Stop everything that runs."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        running = [task for task in tasks if task is not asyncio.current_task()]
        if running:
            await asyncio.wait(running, timeout=STOP_S)
        for agent in list(self._app.agents.values()):
            await agent.stop()

    def cancel_soon(self) -> None:
        """Stop everything from any thread, without waiting."""
        tasks, self._tasks = self._tasks, []
        _cancel_soon(tasks)
        for agent in list(self._app.agents.values()):
            agent.cancel_soon()


def _cancel_soon(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        with contextlib.suppress(RuntimeError):  # its loop is closed: it is dead already
            task.get_loop().call_soon_threadsafe(task.cancel)


def _start_soon(loop: asyncio.AbstractEventLoop, older: Agent | None, agent: Agent) -> None:
    async def swap() -> None:
        if older is not None:
            await older.stop()
            for stream in older.streams:  # they would be shown until the garbage collector found them
                for member in chain_of(stream):
                    agent.app._streams.pop(member, None)
        await agent.start()

    with contextlib.suppress(RuntimeError):  # the loop is closed: the next start() starts it
        asyncio.run_coroutine_threadsafe(swap(), loop)
