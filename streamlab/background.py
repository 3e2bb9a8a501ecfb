"""Agents, tasks and timers of an app: what runs from ``app.start()`` on."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamlab.agents import STOP_S, Agent, AgentFunction, OnAgentError, cancel_soon
from streamlab.channels import Channel
from streamlab.durations import seconds
from streamlab.errors import InvalidType, InvalidValue
from streamlab.failures import StreamError
from streamlab.lifecycle import chain_of
from streamlab.processors import name_of
from streamlab.unsupported import AGENT_OPTIONS, refuse

if TYPE_CHECKING:
    from datetime import timedelta

    from streamlab.app import App

__all__ = ["Background"]

logger = logging.getLogger("streamlab")


@dataclass(eq=False, slots=True)
class Job:
    """A task, or a timer with its seconds; ``running`` from start to stop."""

    function: Callable[..., Awaitable[Any]]
    every_s: float | None
    running: asyncio.Task[None] | None = None

    @property
    def place(self) -> tuple[str, str] | None:
        """Where a module defines it; None for what may be there several times: partial functions, methods, closures."""
        if not inspect.isfunction(self.function) or "<" in self.function.__qualname__:
            return None
        return self.function.__module__, self.function.__qualname__


class Background:
    """The agents, tasks and timers of one app."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._jobs: list[Job] = []

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
        self._define(Job(function, None))

    def add_timer(self, function: Callable[..., Awaitable[Any]], interval: float | timedelta | str, *, on_leader: bool) -> None:
        """Define a timer."""
        _warn_of_leader(function, on_leader=on_leader)
        every_s = seconds(interval)
        if every_s <= 0:
            raise InvalidValue(f"a timer cannot run every {interval!r} seconds: give more than 0")
        self._define(Job(function, every_s))

    def _define(self, job: Job) -> None:
        """Have it in place of the one that its module had there; in an app that is started it starts."""
        for older in [older for older in self._jobs if job.place is not None and older.place == job.place]:
            self._jobs.remove(older)
            cancel_soon(_stopped([older]))
        self._jobs.append(job)
        if not self._app.should_stop and self._app.loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the next start() starts it
                self._app.loop.call_soon_threadsafe(self._start_jobs)

    def _start_jobs(self) -> None:
        loop = asyncio.get_running_loop()
        for job in self._jobs:
            if job.running is None and not self._app.should_stop:
                job.running = loop.create_task(self._run(job))

    async def start(self) -> None:
        """Start what is defined and does not run."""
        for agent in list(self._app.agents.values()):
            await agent.start()
        self._start_jobs()

    async def _run(self, job: Job) -> None:
        function, every_s = job.function, job.every_s
        arguments = (self._app,) if inspect.signature(function).parameters else ()
        while True:
            if every_s is not None:
                await asyncio.sleep(every_s)
            try:
                await function(*arguments)
            except Exception as error:
                name = getattr(function, "__name__", "task")
                self._app.errors.add(StreamError.of(error, name))
                logger.exception("%s failed", name)
            if every_s is None:
                return

    async def stop(self) -> None:
        """Stop everything that runs."""
        tasks = _stopped(self._jobs)
        for task in tasks:
            task.cancel()
        running = [task for task in tasks if task is not asyncio.current_task()]
        if running:
            await asyncio.wait(running, timeout=STOP_S)
        for agent in list(self._app.agents.values()):
            await agent.stop()

    def cancel_soon(self) -> None:
        """Stop everything from any thread, without waiting."""
        cancel_soon(_stopped(self._jobs))
        for agent in list(self._app.agents.values()):
            agent.cancel_soon()


def _stopped(jobs: list[Job]) -> list[asyncio.Task[None]]:
    """Say that these run no more, and return the tasks that have to be cancelled for that."""
    tasks = [job.running for job in jobs if job.running is not None]
    for job in jobs:
        job.running = None
    return tasks


def _warn_of_leader(function: Callable[..., Any], *, on_leader: bool) -> None:
    if on_leader:
        warnings.warn(
            f"no process is elected leader: every process that runs this app runs {name_of(function)}", UserWarning, stacklevel=4
        )


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
