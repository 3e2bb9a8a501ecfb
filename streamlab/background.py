"""Agents, tasks and timers of an app: what runs from ``app.start()`` on."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import warnings
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from streamlab.agents import STOP_S, Agent, AgentFunction, OnAgentError, cancel_soon
from streamlab.channels import Channel, seconds
from streamlab.errors import InvalidType, InvalidValue
from streamlab.failures import StreamError
from streamlab.processors import name_of
from streamlab.unsupported import AGENT_OPTIONS, refuse

if TYPE_CHECKING:
    from datetime import timedelta

    from streamlab.app import App

__all__ = ["Background"]

logger = logging.getLogger("streamlab")


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
        on_error: OnAgentError | None = None,
        **options: Any,
    ) -> Agent:
        """Define an agent, or define it anew; in an app that is started it starts."""
        if not (inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)):
            raise InvalidType(f"an agent is an `async def` function of a stream, not {function!r}")
        app = self._app
        name = name or name_of(function)
        channel = self._channel(name, channel, options)
        older = app.agents.pop(name, None)
        group = self._group(name, channel) if channel.serialized else None
        agent = app.agents[name] = Agent(
            app, function, channel, name=name, concurrency=concurrency, group=group, on_error=on_error
        )
        if older is not None:
            older.cancel_soon()
        if app.started and app.loop is not None:
            _start_soon(app.loop, older, agent)
        return agent

    def _channel(self, name: str, channel: str | Channel[Any] | None, options: dict[str, Any]) -> Channel[Any]:
        """Return what the agent reads: given, or a topic that is configured by its options."""
        refuse("an agent", options, AGENT_OPTIONS)
        options.pop("use_reply_headers", None)  # how replies are written, which are not there
        if isinstance(channel, Channel):
            if options:
                raise InvalidType(f"give {', '.join(options)} to app.topic() or app.channel(): this agent reads {channel}")
            return channel
        if channel is None:
            channel = f"{self._app.id}-{name}"
            options.setdefault("internal", True)
        return self._app.topic(channel, **options)

    def _group(self, name: str, channel: Channel[Any]) -> str:
        """Return the app's id; for a further agent on the same topic, which has to see all of it too, a group of its own."""
        taken = any(str(agent.channel) == str(channel) and agent.group == self._app.id for agent in self._app.agents.values())
        return f"{self._app.id}-{name}" if taken else self._app.id

    def add_task(self, function: Callable[..., Awaitable[Any]], *, on_leader: bool) -> None:
        """Define a task."""
        _warn_of_leader(function, on_leader=on_leader)
        self._functions.append((function, None))

    def add_timer(self, function: Callable[..., Awaitable[Any]], interval: float | timedelta | str, *, on_leader: bool) -> None:
        """Define a timer."""
        _warn_of_leader(function, on_leader=on_leader)
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
        cancel_soon(tasks)
        for agent in list(self._app.agents.values()):
            agent.cancel_soon()


def _warn_of_leader(function: Callable[..., Any], *, on_leader: bool) -> None:
    if on_leader:
        warnings.warn(
            f"no process is elected leader: every process that runs this app runs {name_of(function)}", UserWarning, stacklevel=4
        )


def _start_soon(loop: asyncio.AbstractEventLoop, older: Agent | None, agent: Agent) -> None:
    async def swap() -> None:
        if older is not None:
            await older.stop()
        await agent.start()

    with contextlib.suppress(RuntimeError):  # the loop is closed: the next start() starts it
        asyncio.run_coroutine_threadsafe(swap(), loop)
