"""App: names the broker, makes topics, channels, streams and agents, and closes everything."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from streamlab.agents import Agent, AgentFunction
from streamlab.background import Background
from streamlab.channels import Channel
from streamlab.closing import close_soon, disconnect, feeds_of, take_name
from streamlab.connection import Connection
from streamlab.durations import seconds
from streamlab.errors import ImproperlyConfigured, InvalidType, NotSupported, StreamClosed, StreamlabError
from streamlab.events import Event, Message
from streamlab.failures import ErrorLog, StreamError
from streamlab.plain_source import PlainSource
from streamlab.queues import FlowControlEvent
from streamlab.runtime.io import on_io, wait
from streamlab.runtime.outbox import Outbox
from streamlab.settings import is_security_option, settings
from streamlab.streams import Stream
from streamlab.tables import Table
from streamlab.texts import clean
from streamlab.topics import Topic
from streamlab.unsupported import APP, COMMANDS, missing

if TYPE_CHECKING:
    from datetime import timedelta
    from types import TracebackType
    from typing import Self

    import pandas as pd

    from streamlab.broker.base import Broker, ClusterInfo, TopicInfo
    from streamlab.graph import Graph

__all__ = ["App"]

CLOSE_S = 5.0
TABLE_OPTIONS = ("isolation", "max_keys", "max_bytes", "broker_timeout")


class Consumer:
    """What Faust code asks of ``app.consumer``."""

    def __init__(self, app: App) -> None:
        self._app = app

    @property
    def unacked(self) -> list[tuple[str, int]]:
        """Topic and partition of each message of a consumer group that was handed out and not acked, one entry each."""
        return [
            (tp.topic, tp.partition)
            for feed in feeds_of(self._app)
            for tp, store in feed.stores.items()
            for _ in range(store.unacked)
        ]


class App:
    """A broker with what is made of it.

    Making an App does no I/O. Making one again under the same name closes the older one, so that a cell can be run
    again.

    Parameters
    ----------
    id : str
        Its name; agents read in the consumer group of this name.
    broker : str
        "kafka://host:port,host:port", or "memory://" (the embedded broker of this process, the default),
        "memory://demo" with live sample topics.
    config : mapping, optional
        TLS and SASL settings as librdkafka or Java spell them.
    ack_on_error : bool
        True, as Faust: a value whose loop body fails is acked. False: it is not, and is handed out again. A loop that
        is left by ``break`` counts as failed then: ack by hand before.
    **options
        TLS and SASL settings in aiokafka's spelling (``security_protocol=``, ``sasl_mechanism=``, ...), and Faust's
        options, which are kept in ``app.conf``.

    Raises
    ------
    ImproperlyConfigured
        A broker url or a security setting that makes no sense.

    Examples
    --------
    >>> import streamlab as sl
    >>> app = sl.App("docs")
    >>> app.topic("orders").get_topic_name()
    'orders'
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - Faust's name
        *,
        broker: str = "memory://",
        config: Mapping[str, Any] | None = None,
        ack_on_error: bool = True,
        **options: Any,
    ) -> None:
        if not isinstance(id, str) or not id:
            raise InvalidType(f'an app needs a name: App("debug"), not App({id!r})')
        if broker is None:
            raise ImproperlyConfigured(
                f'app {id!r} has broker=None: give broker="kafka://host:port" or "memory://" (is a variable of the environment not set?)'
            )
        self.id = id
        security = {name: options.pop(name) for name in list(options) if is_security_option(name)}
        if config is not None:
            security["config"] = config
        self.conf = settings(id=id, broker=broker, ack_on_error=ack_on_error, **options)
        self.conf.Stream = options.get("Stream", Stream)
        self._connection = Connection(id, broker, security)
        self.conf.on_broker(self._connection.open)
        self.flow_control = FlowControlEvent()
        self.consumer: Any = Consumer(self)
        self.agents: dict[str, Agent] = {}
        self.errors = ErrorLog()
        """Failures of agents, tasks and timers."""
        self.loop: asyncio.AbstractEventLoop | None = None
        self.finalized = self.started = self.closed = False
        self.last_cluster: ClusterInfo | None = None
        self.last_topics: dict[str, TopicInfo] | None = None
        self.topics: weakref.WeakSet[Topic[Any]] = weakref.WeakSet()
        self._streams: weakref.WeakKeyDictionary[Stream[Any], None] = weakref.WeakKeyDictionary()
        self._tables: weakref.WeakValueDictionary[int, Table] = weakref.WeakValueDictionary()
        self._background = Background(self)
        take_name(self)

    @property
    def client(self) -> Broker:
        """The broker behind the app's url; its coroutines run on the I/O thread. StreamClosed when the app was closed."""
        self._check_open()
        return self._connection.client

    @property
    def outbox(self) -> Outbox:
        """What takes records to the broker, many at a time; StreamClosed when the app was closed."""
        self._check_open()
        return self._connection.outbox

    def _check_open(self) -> None:
        if self.closed:
            raise StreamClosed(f"app {self.id!r} was closed: make a new App")

    @property
    def broker(self) -> str:
        """The broker's url, without secrets."""
        return self._connection.url

    def topic(self, *topics: str, **options: Any) -> Topic[Any]:
        """Describe a topic, or several, or a pattern; see Topic. Creates nothing."""
        for name in topics:
            if not isinstance(name, str):
                raise InvalidType(f'a topic is described by its name: app.topic("orders", "payments"), not {name!r}')
        for name in ("key_serializer", "value_serializer"):
            if getattr(options.get("schema"), name, None) is None:
                options.setdefault(name, getattr(self.conf, name))
        topic: Topic[Any] = Topic(self, topics=topics, **options)
        self.topics.add(topic)
        return topic

    def channel(self, **options: Any) -> Channel[Any]:
        """Make a channel in memory; see Channel."""
        return Channel(self, **options)

    def stream(self, channel: Any, **options: Any) -> Stream[Any]:
        """Make a stream of a channel, a topic, or any iterable, sync or async; TypeError for anything else."""
        self._check_open()
        if isinstance(channel, Channel):
            options.setdefault("on_error", channel.on_error)
            channel = channel.subscribe_stream()
        elif channel is not None:
            if not hasattr(channel, "__aiter__") and not hasattr(channel, "__iter__"):
                raise InvalidType(f"cannot stream a {type(channel).__name__}: give a channel, a topic or an iterable")
            channel = PlainSource(channel)
        else:
            channel = PlainSource(())
        stream: Stream[Any] = self.conf.Stream(channel, app=self, **options)
        return stream

    def table(self, topic: str | Topic[Any], **options: Any) -> Table:
        """Make a table of a topic: the latest value of each key, as a mapping that is kept current; see Table. Reads nothing yet.

        Parameters
        ----------
        topic : str or Topic
            One topic, compacted or not. With a name, the options of ``topic`` say how it is decoded: ``key_type=``, ``value_type=``,
            ``schema=``, ``on_error=``, ...
        isolation, max_keys, max_bytes, broker_timeout : optional
            As in Table.

        Raises
        ------
        InvalidType
            No topic, or one with several names; options for a topic that has its own; keys that cannot be looked up by.
        """
        self._check_open()
        own = {name: options.pop(name) for name in TABLE_OPTIONS if name in options}
        if isinstance(topic, str):
            topic = self.topic(topic, **options)
        elif not isinstance(topic, Topic):
            raise InvalidType(f'a table is made of a topic or its name: app.table("users"), not {topic!r}')
        elif options:
            raise InvalidType(f"this topic says itself how it is decoded: give {', '.join(options)} to app.topic()")
        table = Table(topic, **own)
        self._tables[id(table)] = table
        return table

    def tables_made(self) -> list[Table]:
        """Return the app's tables that are alive, in the order in which they were made."""
        return list(self._tables.values())

    def create_event(self, key: Any, value: Any, headers: Any, message: Message) -> Event:
        """Make the event of a message: every event of the app is made here."""
        return Event(self, key, value, headers, message)

    def agent(self, channel: str | Channel[Any] | AgentFunction | None = None, **options: Any) -> Any:
        """Decorate an async function of a stream: it runs from ``start()`` on, and is restarted when it fails.

        Bare, ``@app.agent()`` on a topic of its own, or with a topic, a channel or a topic's name. Topics are read in
        the consumer group ``app.id``.

        Parameters
        ----------
        channel : optional
        name : str, optional
            The function's by default. Defining an agent of the same name again replaces it.
        concurrency : int
            How many run side by side and share the values.
        on_error : callable, optional
            Called, and awaited if need be, with the agent and the error, when it fails.
        **options
            Those of ``topic``, for a topic of its own or one that is named: ``value_type=``, ``schema=``, ...
        """
        if callable(channel) and not isinstance(channel, Channel):
            return self._background.add_agent(channel, None, **options)
        return lambda function: self._background.add_agent(function, channel, **options)

    def task(
        self,
        function: Callable[..., Awaitable[Any]] | None = None,
        *,
        on_leader: bool = False,
        traced: bool = True,
    ) -> Any:
        """Decorate an async function, of nothing or of the app, that runs once from ``start()`` on.

        There is no leader: with ``on_leader`` every process warns, and runs it.
        """

        def decorate(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            self._background.add_task(function, on_leader=on_leader)
            return function

        return decorate if function is None else decorate(function)

    def timer(
        self,
        interval: float | timedelta | str,
        on_leader: bool = False,  # noqa: FBT001, FBT002 - Faust's signature
        traced: bool = True,  # noqa: FBT001, FBT002
        name: str | None = None,
        max_drift_correction: float = 0.1,
    ) -> Any:
        """Decorate an async function that runs every ``interval`` seconds from ``start()`` on.

        There is no leader: with ``on_leader`` every process warns, and runs it. The other options are taken and do nothing.
        """

        def decorate(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            self._background.add_timer(function, interval, on_leader=on_leader)
            return function

        return decorate

    def finalize(self) -> None:
        """Say that everything is defined; kept for Faust code."""
        self.finalized = True

    async def start(self) -> None:
        """Start agents, tasks and timers on the running loop, and return at once."""
        self._check_open()
        self.finalized = self.started = True
        self.loop = asyncio.get_running_loop()
        await self._background.start()

    async def stop(self) -> None:
        """Stop agents, tasks and timers."""
        self.started = False
        await self._background.stop()

    @property
    def should_stop(self) -> bool:
        """Whether it is not started, or was stopped: what the loop of a task asks."""
        return self.closed or not self.started

    async def sleep(self, n: float | timedelta | str) -> None:
        """Sleep for ``n`` seconds."""
        await asyncio.sleep(seconds(n))

    def main(self) -> None:
        """Run agents, tasks and timers as a script, until interrupted.

        Raises
        ------
        NotSupported
            The script was called with another of Faust's commands than ``worker``.
        """
        command = "".join(sys.argv[1:2])
        if command in COMMANDS:
            raise NotSupported(f"app.main() only runs the app, it does not know {command!r}: {COMMANDS[command]}")
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(self._forever())

    async def _forever(self) -> None:
        async with self:
            await asyncio.Event().wait()

    def close(self) -> None:
        """Stop everything and disconnect; a plain call, harmless when repeated."""
        close_soon(self)
        with contextlib.suppress(StreamlabError, TimeoutError):
            wait(disconnect(self), CLOSE_S)

    async def aclose(self) -> None:
        """As ``close``, waiting for agents, tasks, timers and streams too: what loops had is acked, and committed."""
        if not self.closed:
            await self.stop()
            for error in await asyncio.gather(*(stream.stop() for stream in self.streams()), return_exceptions=True):
                if isinstance(error, Exception):
                    self.errors.add(StreamError.of(error))
        close_soon(self)
        with contextlib.suppress(StreamlabError, TimeoutError):
            await asyncio.wait_for(on_io(disconnect(self)), CLOSE_S)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def streams(self) -> list[Stream[Any]]:
        """Return the app's streams that are alive, in the order in which they were made."""
        return list(self._streams)

    def _register(self, stream: Stream[Any]) -> None:
        self._streams[stream] = None

    def _channel_of(self, channel: str | Channel[Any]) -> Channel[Any]:
        return self.topic(channel) if isinstance(channel, str) else channel

    async def send(self, channel: str | Channel[Any], key: Any = None, value: Any = None, **options: Any) -> Any:
        """Send to a channel, or to the topic of that name; see their ``send``."""
        return await self._channel_of(channel).send(key=key, value=value, **options)

    async def refresh(self) -> Self:
        """Ask the cluster what it is, for what the app shows of it."""
        await on_io(self._ask())
        return self

    async def _ask(self) -> dict[str, TopicInfo]:
        """Remember what the cluster says of itself, and return its topics; on the I/O thread."""
        client = self.client
        self.last_cluster = await client.cluster()
        self.last_topics = topics = await client.topics()
        return topics

    def topics_frame(self, *, internal: bool = False) -> pd.DataFrame:
        """Return a row a topic: topic, partitions, messages (an estimate by offsets); a plain call for any cell."""
        from streamlab.reading import topics_frame

        frame: pd.DataFrame = topics_frame(self, internal=internal)
        return frame

    def graph(self) -> Graph:
        """Return the graph of all agents and streams that are alive."""
        from streamlab.graph_builder import app_graph

        return app_graph(self)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise missing(self, name, APP)

    def __repr__(self) -> str:
        closed = " closed" if self.closed else ""
        return f"<App: {clean(self.id)} {self.broker}{closed}>"

    def _repr_html_(self) -> str:
        from streamlab.display import app_html

        return app_html(self)
