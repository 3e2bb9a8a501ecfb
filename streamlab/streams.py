"""Stream: Faust's API over a channel iterator, thin over the modules that do the work."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from streamlab import describing, forwarding, joins, lifecycle
from streamlab.batch import FrameMemory, events_of, stamped
from streamlab.channels import Channel
from streamlab.durations import length_s
from streamlab.errors import InvalidState, InvalidType, NotSupported
from streamlab.events import Cell, Event, current_cell, current_event, event_in, tried
from streamlab.failures import ErrorLog, OnError, checked
from streamlab.forwarding import maybe_forward
from streamlab.interrupting import Wait
from streamlab.iteration import iterate
from streamlab.join_source import JoinSource
from streamlab.lookups import lookup_of, tables_of
from streamlab.loops import FOREVER
from streamlab.merged import MergeSource, StreamsSource
from streamlab.merging import inputs_of
from streamlab.plain_source import PlainSource
from streamlab.processors import Processors, filter_by
from streamlab.restarting import KEEP, renew
from streamlab.runtime.subscriptions import subscribed
from streamlab.stats import Meter, StreamStats
from streamlab.take import Take, WithinFrom, frame
from streamlab.texts import clean
from streamlab.window_rules import Emit, rules_of
from streamlab.window_source import WindowSource
from streamlab.windowed import Windowed

if TYPE_CHECKING:
    from datetime import timedelta
    from types import TracebackType
    from typing import Self, Unpack

    import pandas as pd

    from streamlab.app import App
    from streamlab.baskets import Basket
    from streamlab.events import TP
    from streamlab.failures import StreamError
    from streamlab.forwarder import Forwarder
    from streamlab.graph import Graph
    from streamlab.joins import JoinOptions
    from streamlab.processors import Processor
    from streamlab.runtime.feed import Feed
    from streamlab.runtime.runner import Drive
    from streamlab.sources import Source
    from streamlab.topics import Topic
    from streamlab.views.explorer import Explorer
    from streamlab.views.trial import Preview

__all__ = ["Stream", "current_event", "maybe_forward"]

T = TypeVar("T")
Function = Callable[[Any], Any]


class Stream(Generic[T]):
    """A live, asynchronous sequence of values, with processors that can be changed while it runs.

    Made by ``topic.stream()``, ``channel.stream()`` or ``app.stream(iterable)``; the subscription begins then, not
    at iteration. ``async for value in stream`` runs the processors in order and hands the results out; an event is
    acked when the next value is asked for. Leaving a loop loses nothing: the next loop gets the next item. Two
    loops over one stream compete for its items; two streams on one channel each see all.

    Parameters
    ----------
    channel : Channel iterator or iterable
        Where values come from.
    app : App
    processors : iterable of callables, optional
        Copied.
    on_start : callable, optional
        Called, and awaited if need be, at every start.
    concurrency_index : int, optional
        Set for the streams of an agent with several; forbids ``group_by`` and ``through``.
    enable_acks : bool
        False: the caller acks.
    prefix : str
        Put before the name of ``group_by``'s topic.
    on_error : "raise", "skip" or callable
        What happens to a record that cannot be decoded. A callable gets the DecodeError; what it returns is the
        value, None skips the record; a key that could not be decoded stays bytes then.
    combined, join_strategy, beacon, prev, active_partitions, loop
        As in Faust.
    """

    def __init__(  # noqa: PLR0913 - Faust's signature
        self,
        channel: Any,
        *,
        app: App,
        processors: Iterable[Function] | Processors | None = None,
        combined: Iterable[Any] | None = None,
        on_start: Callable[[], Any] | None = None,
        join_strategy: joins.Join | None = None,
        beacon: Any = None,
        concurrency_index: int | None = None,
        prev: Stream[Any] | None = None,
        active_partitions: set[TP] | None = None,
        enable_acks: bool = True,
        prefix: str = "",
        loop: Any = None,
        on_error: OnError = "raise",
    ) -> None:
        self.app = app
        self.channel = channel
        self.processors = Processors.of(processors)
        """The live, ordered, named list; change it at any time, from any thread."""
        self.combined: list[Any] = list(combined or ())
        if self.combined:
            self._reads(MergeSource() if join_strategy is None or join_strategy.lookup else JoinSource(join_strategy))
        else:
            self._reads(channel.source if isinstance(channel, Channel) else PlainSource.over(channel))
        self._origin: Stream[Any] | None = None
        self.join_strategy = join_strategy
        self._lookup = None if join_strategy is None else join_strategy.lookup
        self.beacon = beacon
        self.concurrency_index = concurrency_index
        self.active_partitions = active_partitions
        self._enable_acks = enable_acks
        self.prefix = prefix
        self.loop = loop
        self.on_error = checked(on_error)
        self.errors = ErrorLog()
        """What could not be decoded or made a processor fail, the latest thousand."""
        self.outbox: Any = None
        self.task_owner: asyncio.Task[Any] | None = None
        self._on_start = on_start
        self._prev = prev
        self._next: Stream[Any] | None = None
        self._passive = False
        self._finalized = False
        self._cell: Cell | None = None
        self._drain: asyncio.Task[None] | None = None
        self._forwarder: Forwarder | None = None
        self._meter = Meter()
        self.frame_memory = FrameMemory()
        self._no_loop_yet()
        self._reset()
        app._register(self)

    def _no_loop_yet(self) -> None:
        self._takes = self._loops = self._stops = 0
        self._paused = self._waits_for_reader = False
        self._iterators: weakref.WeakSet[Any] = weakref.WeakSet()
        self._waiting_loops: list[Any] = []
        self._readers: weakref.WeakSet[Any] = weakref.WeakSet()
        self._drive: Drive | None = None
        self._failure: BaseException | None = None
        self._taps: tuple[Callable[[Basket], object], ...] = ()
        self._waits: set[Wait] = set()

    def _reads(self, source: Source) -> None:
        self._source = source
        source.users.add(self)

    def _reset(self) -> None:
        self._started = self._implicit = self._halted = False
        self.state = "init"

    # What is read, and how it is told

    @property
    def _processors(self) -> list[Function]:
        return [entry.function for entry in self.processors.active]

    @property
    def enable_acks(self) -> bool:
        """Whether a value is acked when the next one is asked for; False while batches are taken, which are acked as a whole."""
        return self._enable_acks and not self._takes

    @enable_acks.setter
    def enable_acks(self, acks: bool) -> None:
        self._enable_acks = acks

    @property
    def current_event(self) -> Event | None:
        """The event of the value that the loop's body is working on; None between values and for plain ones."""
        return event_in(current_cell.get() if tried.get() is self else self._cell)

    @current_event.setter
    def current_event(self, event: Event | None) -> None:
        self._cell = None if event is None else (event, None, None, None, FOREVER)

    @property
    def events_total(self) -> int:
        """Values handed out."""
        return self.processors.handed_out

    @property
    def feed(self) -> Feed | None:
        """What reads the topic; None for a stream that reads none."""
        return getattr(self._source, "feed", None)

    @property
    def mode(self) -> str:
        """Tell how it reads: "observe" (nothing is committed), "group=NAME", or "local" for what is no topic."""
        return describing.mode(self)

    @property
    def label(self) -> str:
        """What it is called in full: class and channel, cut in the middle."""
        return describing.label(self)

    @property
    def shortlabel(self) -> str:
        """What it is called in a graph."""
        return describing.shortlabel(self)

    def __repr__(self) -> str:
        return describing.representation(self)

    def _repr_html_(self) -> str:
        from streamlab.display import stream_html

        return stream_html(self)

    def _ipython_display_(self) -> None:
        from streamlab.views.showing import display_stream

        display_stream(self)

    def explore(self, *, messages: int = 100_000, size_bytes: int | None = None) -> Explorer:
        """Return the live explorer of this stream: what a cell shows that ends in the stream.

        The stream runs in the background from now on, and is stopped when nobody looks at it any more, unless it ran
        before. Looking takes no values away from anybody and commits nothing that would not be committed.

        Parameters
        ----------
        messages : int
            How many of the latest messages can be looked at.
        size_bytes : int, optional
            How much memory they may take, about, in bytes. Whichever is reached first pauses the stream, once; after that the
            oldest messages make room. By default 256 MB, and less when many explorers are open: all that were given no size
            share 1 GB, or a quarter of the machine's memory if that is less.

        Returns
        -------
        Explorer
            Shows itself. Another one of the same stream shows the same window, and may give it another size.

        Raises
        ------
        InvalidValue
            A window that holds nothing.
        StreamClosed
            The app was closed.
        """
        from streamlab.views.explorer import Explorer

        return Explorer(self, messages=messages, size_bytes=size_bytes)

    def preview(self, function: Function, n: int = 1000, *, name: str | None = None) -> Preview:
        """Try a function on the last messages as if it were a processor; a plain call for any cell, and nothing changes.

        It gets the values as they are before its place: that of the processor of its name, else the end of the list. The
        processors before it run too, except for those that write. At most 10 seconds are spent.

        Parameters
        ----------
        function : callable
            As for a processor: of one value, sync or async; Skip drops it.
        n : int
            How many messages: of the explorer's window (of a joined or windowed stream, its rows), else of the topic.
        name : str, optional
            Of the processor that it would replace; by default the function's.

        Returns
        -------
        Preview
            Shows itself as a table; ``to_frame()`` has what came out, ``errors`` what failed.

        Raises
        ------
        InvalidState
            A stream of a channel or an iterable, and one that is made of others, has no messages to try on until it is shown.
        """
        from streamlab.views.trial import preview

        return preview(self, function, n=n, name=name)

    def info(self) -> dict[str, Any]:
        """Return what a clone is made with."""
        return describing.arguments(self)

    def clone(self, **kwargs: Any) -> Self:
        """Return a stream of the same class over the same channel iterator, with which it competes for items."""
        copy = type(self)(**{**self.info(), **kwargs})
        if self.combined and copy.combined == self.combined:
            copy._origin = self._origin
            if isinstance(self._source, WindowSource):
                copy._reads(self._source.again())
            elif isinstance(copy._source, StreamsSource):
                copy._source.take_after(self._source)
        return copy

    def __copy__(self) -> Self:
        return self.clone()

    def stats(self) -> StreamStats:
        """Return the counters as they are now, and the rates since the last call."""
        return self._meter.read(self)

    def graph(self) -> Graph:
        """Return the stream's graph: channels, processors, sinks."""
        from streamlab.graph_builder import stream_graph

        return stream_graph(self)

    # The chain

    def get_active_stream(self) -> Stream[Any]:
        """Return the last stream of the chain: the one to iterate."""
        return list(self._iter_ll_forwards())[-1]

    def get_root_stream(self) -> Stream[Any]:
        """Return the first stream of the chain."""
        return list(self._iter_ll_backwards())[-1]

    def _iter_ll_forwards(self) -> Iterator[Stream[Any]]:
        return lifecycle.walk(self, lambda stream: stream._next)

    def _iter_ll_backwards(self) -> Iterator[Stream[Any]]:
        return lifecycle.walk(self, lambda stream: stream._prev)

    def _chain(self, **kwargs: Any) -> Self:
        """Make the next stream of the chain: starting it starts this one; it carries acks and prefix, nothing else."""
        fresh = {"processors": None, "combined": None, "join_strategy": None, "on_start": self.maybe_start, "prev": self}
        chained = self.clone(**{**fresh, **kwargs})
        self._next = chained
        return chained

    def noack(self) -> Self:
        """Return a stream over the same items that leaves the acks to the caller."""
        return self._chain(
            processors=self.processors, combined=self.combined, join_strategy=self.join_strategy, enable_acks=False
        )

    # Processors

    def add_processor(self, processor: Function) -> None:
        """Append a function of one value, sync or async, whose result is the next value."""
        self.processors.add(processor)

    def processor(self, function: Function | None = None, *, name: str | None = None) -> Any:
        """Decorate a function: it is added, or replaces the processor of its name, at the next event.

        Examples
        --------
        >>> @stream.processor  # doctest: +SKIP
        ... def enrich(order): ...
        """
        if function is None:
            return lambda later: self.processor(later, name=name)
        self.processors.define(function, name=name)
        return function

    def filter(self, fun: Function) -> Self:
        """Drop the values for which the function, sync or async, is falsy; they are acked."""
        self.processors.add(filter_by(fun), kind="filter")
        return self

    def echo(self, *channels: str | Channel[Any]) -> Self:
        """Send every value, as it is at this point, to these channels too.

        A name is a topic. All are sent to at once; when one fails, the others are waited for and the first error is
        raised as the processor's.
        """
        forwarding.echo(self, channels)
        return self

    def through(self, channel: str | Channel[Any]) -> Stream[Any]:
        """Forward the processed values to a channel, and return a stream that reads them from there.

        Key, headers and timestamp are kept; a value is serialized again only if a processor changed it. An item is
        acked when it has arrived; up to 500 records are on their way to a topic at once, in order. When one fails, the
        reader of the result gets the error, and forwarding goes on with what did not arrive at its next loop. Forwarding
        begins now when a loop runs, else at the first iteration.

        Raises
        ------
        ImproperlyConfigured
            With concurrency, or when the stream is chained already.
        ValueError
            A name given on a stream that reads no topic.
        """
        return forwarding.through(self, channel)

    def group_by(
        self, key: Any, *, name: str | None = None, topic: Channel[Any] | None = None, partitions: int | None = None
    ) -> Stream[Any]:
        """Repartition by another key, through a topic of its own, and return a stream that reads it.

        The topic is created with ``retention.ms=-1``, since records keep their timestamps; forwarding is as in ``through``.

        Parameters
        ----------
        key : field descriptor or callable
            ``Order.account_id``, or a sync or async function of the value. When it raises, the value is skipped.
        name : str, optional
            For the topic; required with a callable.
        topic : Channel, optional
            Use this one instead of ``[prefix-]source-{name}-repartition``.
        partitions : int, optional
            ``app.conf.topic_partitions`` by default.

        Raises
        ------
        ImproperlyConfigured
            With concurrency, several source topics, or when the stream is chained already.
        TypeError
            A callable without a name.
        """
        return forwarding.group_by(self, key, name=name, topic=topic, partitions=partitions)

    def derive_topic(
        self, name: str, *, schema: Any = None, key_type: Any = None, value_type: Any = None, prefix: str = "", suffix: str = ""
    ) -> Topic[Any]:
        """Return a topic like this stream's, named ``prefix + name + suffix``; ValueError when it reads none."""
        same = {"schema": schema, "key_type": key_type, "value_type": value_type}
        return forwarding.topic_like(self, name, prefix=prefix, suffix=suffix, **same)

    # Several streams

    def combine(self, *nodes: Any, max_idle: float | timedelta | str | None = 0.0, **kwargs: Any) -> Stream[Any]:
        """Return a stream over all nodes, in the order of their timestamps; ``a & b`` is ``a.combine(a, b)``.

        Each node's processors come first, then the result's. This stream is a node, listed or not, and each node is one
        however often it is listed. Each partition keeps its order; of equal timestamps events come before plain values, then earlier
        nodes. A value is acked where it came from. The result ends with the last of its nodes, raises what one of them raises,
        after what came before that, and stops them when it is stopped.

        While more of a partition is known to come it is waited for, also during an outage; up to 100,000 values of a
        node are read ahead then.

        Parameters
        ----------
        *nodes : Stream or mapping
            A table, or any mapping, is for ``inner_join`` or ``left_join`` with it: a lookup for each value.
        max_idle : float, timedelta or str, optional
            How many seconds a partition that is at its end holds the others back; by default not at all. What comes there
            later comes out of order.
        **kwargs
            For the new stream, as in Faust.

        Returns
        -------
        Stream

        Raises
        ------
        InvalidValue
            A ``max_idle`` that is no length of time.

        References
        ----------
        docs/joins.md has the rules, and a timeline. ``max_idle`` is Kafka Streams' ``max.task.idle.ms``
        (https://cwiki.apache.org/confluence/display/KAFKA/KIP-695%3A+Further+Improve+Kafka+Streams+Timestamp+Synchronization).
        """
        for node in nodes:
            if not isinstance(node, Stream | Mapping):
                raise InvalidType(f"streams are combined with streams and tables: {_as_a_stream(node)}")
        if self._finalized:
            return forwarding.unchanged(self, "combine")
        stream = self._chain(combined=[*self.combined, *nodes], **kwargs)
        stream._origin = self
        source = MergeSource(max_idle=length_s("max_idle", max_idle))
        stream._reads(source)
        for node in stream.combined:
            if not isinstance(node, Mapping):
                node.contribute_to_stream(stream)
        for node in (self, *stream.combined):
            if not isinstance(node, Mapping) and node._source.is_merge:
                source.take_after(node._source)
        return stream

    def __and__(self, other: Any) -> Stream[Any]:
        return self.combine(self, other)

    def contribute_to_stream(self, active: Stream[Any]) -> None:
        """Become a part of a combined stream."""
        self.outbox = active.outbox

    async def remove_from_stream(self, stream: Stream[Any]) -> None:
        """Stop, since the combined stream did."""
        await self.stop()

    def join(self, *fields: Any, **options: Unpack[JoinOptions]) -> Self:
        """Return a clone that joins as ``inner_join`` does, and keeps every value of the last side."""
        return self._join(joins.RightJoin, fields, options)

    def left_join(self, *fields: Any, **options: Unpack[JoinOptions]) -> Self:
        """Return a clone that joins as ``inner_join`` does, and keeps every value of the first side."""
        return self._join(joins.LeftJoin, fields, options)

    def inner_join(self, *fields: Any, **options: Unpack[JoinOptions]) -> Self:
        """Return a clone of a combined stream that joins its nodes: ``(orders & payments).inner_join(Order.id, Payment.order_id)``.

        The sides are the origin, unless it is listed, and the nodes in their order. The value is a ``Joined``: a tuple with a place for
        each side. A pair is two values with the same key whose timestamps are at most ``within`` apart; it comes out once, when the later one
        arrives. With three sides and more, the pairs of the first two, with the later timestamp, are joined with the third,
        and so on.

        Time is the latest timestamp that arrived on any side. The window of a value closes when time is later than its timestamp by more than
        ``within + grace``. ``left_join``, ``join`` and ``outer_join`` then hand out what has found no partner, once, with None for the
        other side. What comes still later is late: it joins nothing, and is counted. A value that is None, or whose key
        cannot be had, joins nothing either. Unmatched values come out too when all sides end, after ``idle``, and when the stream is stopped;
        but not when a group is stopped, which reads them again.

        A record is acked when its window has closed and all its rows are done, so that what is committed lags by ``within + grace``; a crash reads
        the open windows again. With ``noack()``, ack ``Joined.events``. ``current_event`` is that of the value which brought a row about.
        Values are held until their windows close.

        Parameters
        ----------
        *fields : field descriptors or functions
            ``Order.id``: for values of this model, on whatever side; several of a model are a composite key, in their order. Or a
            function for each side. Values of other models, and all without fields, are joined by the keys of their messages. A key
            that is None, or has a part that is, matches nothing.
        within : float, timedelta or str, optional
            Seconds; both edges are in. By default ``app.conf.join_within``, 60; ``math.inf`` for any.
        grace : float, timedelta or str
            How many seconds later windows close; what comes out of order by no more than this finds all its partners.
        max_per_key : int, optional
            So many values of a key are held on each side; for a further one the oldest is dropped, and counted, and is not called unmatched.
        idle : float, timedelta or str, optional
            Close all windows when nothing has come for so many seconds of wall-clock time.

        Raises
        ------
        InvalidType
            Fields and functions mixed, or models with different numbers of fields.
        InvalidValue
            A time below 0, or not one function a side.
        ImproperlyConfigured
            At the first read: the stream combines nothing; its topics have different numbers of partitions, or are read in
            different groups.

        References
        ----------
        Rows are those of Kafka Streams since 3.1 (KAFKA-10847):
        https://cwiki.apache.org/confluence/display/KAFKA/Kafka+Streams+Join+Semantics
        """
        return self._join(joins.InnerJoin, fields, options)

    def outer_join(self, *fields: Any, **options: Unpack[JoinOptions]) -> Self:
        """Return a clone that joins as ``inner_join`` does, and keeps every value of each side."""
        return self._join(joins.OuterJoin, fields, options)

    def _join(self, kind: type[joins.Join], fields: tuple[Any, ...], options: JoinOptions) -> Self:
        joins.refuse_unknown(options)
        strategy = kind(stream=self, fields=fields, **options)
        if tables_of(self):
            strategy.lookup = lookup_of(self, strategy)
        elif self.combined:
            strategy.check(len(inputs_of(self)))
        return self.clone(join_strategy=strategy)

    def tumbling(
        self,
        size: float | timedelta | str,
        *,
        by: Any = None,
        grace: float | timedelta | str = 0,
        emit: Emit = "final",
        idle: float | timedelta | str | None = None,
        max_windows: int = 1_000_000,
    ) -> Windowed:
        """Cut the stream into windows of event time that follow one another: ``orders.tumbling(60, by=Order.country).sum(Order.price)``.

        Windows begin at multiples of ``size`` since 1970 (UTC), whatever the first record's time is; a record at an edge is in
        the window that begins there. Event time is the message's timestamp (for plain values, when they were read), and stream
        time the latest that was seen. A window closes when stream time reaches its end plus ``grace``; records that come later
        are dropped, acked and counted. At the end of a finite stream, and of one that is stopped (in a group that one is read
        again instead), all windows close.

        This stream is read by the one that results, as by a loop: two windowings of one stream share its records out. Make a
        stream for each, or run it in the background; then each gets all.

        Parameters
        ----------
        size : seconds, timedelta or rate
            In whole milliseconds, like timestamps.
        by : field descriptor, str, callable or tuple of these, optional
            What makes the groups; by default the message's key. ``()`` is one group for all. None, as a key, is a group too.
            In a consumer group it has to be what the topic is partitioned by (``group_by`` first otherwise): each partition has
            its own windows there, and its own stream time.
        grace : seconds, timedelta or rate
            For records that come out of order.
        emit : "final" or "update"
            A window comes out once, when it closes, or at each record that changes it.
        idle : seconds, timedelta or rate, optional
            Close all windows when nothing came for so long, of the wall clock. By default the last windows of a topic
            that falls silent wait for its next record. Choose more than the pauses that there are within a window: what
            comes for a closed one is late.
        max_windows : int
            So many windows may be open, of all keys together; a few hundred bytes each. Records that would open another one go
            to ``errors``.

        Returns
        -------
        Windowed
            Has ``count``, ``sum``, ``mean``, ``min``, ``max`` and ``agg``, which return the stream of windows.

        Raises
        ------
        InvalidValue, InvalidType
            Times, keys or options that make no sense.

        Notes
        -----
        In a group, a record is acked when all windows that it is in have closed, and what came of them was consumed (with
        "update" too: before that a crash would lose what had been counted). So a crash reads the records of open windows again, and the
        committed offset stays behind by about a window and its grace. See docs/joins/windows.md.

        References
        ----------
        Windows as in Kafka Streams (``TimeWindows``) and Flink; edges as in pandas' ``resample(closed="left")``.
        """
        options = {"by": by, "grace": grace, "emit": emit, "idle": idle, "max_windows": max_windows}
        return Windowed(self, rules_of("tumbling", size, size, options))

    def hopping(
        self,
        size: float | timedelta | str,
        step: float | timedelta | str,
        *,
        by: Any = None,
        grace: float | timedelta | str = 0,
        emit: Emit = "final",
        idle: float | timedelta | str | None = None,
        max_windows: int = 1_000_000,
    ) -> Windowed:
        """Cut the stream into windows of event time that overlap: one begins every ``step``, and a record is in ``size / step`` of them.

        Everything else is as in ``tumbling``. A record that is too late for some of its windows is in the others, and counted
        as late.
        """
        options = {"by": by, "grace": grace, "emit": emit, "idle": idle, "max_windows": max_windows}
        return Windowed(self, rules_of("hopping", size, step, options))

    def session(
        self,
        gap: float | timedelta | str,
        *,
        by: Any = None,
        grace: float | timedelta | str = 0,
        emit: Emit = "final",
        idle: float | timedelta | str | None = None,
        max_windows: int = 1_000_000,
    ) -> Windowed:
        """Cut the stream into sessions: of each key, records that are less than ``gap`` apart.

        A session begins with its first record and ends ``gap`` after its last one, as in Flink and Spark. A record that comes out
        of order may extend a session backwards, or make one of two. Everything else is as in ``tumbling``; with "update", a
        session that was made of two replaces those that lie within it.
        """
        options = {"by": by, "grace": grace, "emit": emit, "idle": idle, "max_windows": max_windows}
        return Windowed(self, rules_of("session", gap, 0, options))

    async def on_merge(self, value: Any = None) -> Any:
        """Give the value to the join strategy, if there is one."""
        if self.join_strategy is not None:
            value = await self.join_strategy.process(value)
        return value

    def _merger(self) -> Callable[[Any], Awaitable[Any]] | None:
        return None if type(self).on_merge is Stream.on_merge else self.on_merge

    def _lists(self) -> tuple[Processors, ...]:
        """Return the lists of processors that its values go through: of a join with tables, the lookup goes before its own."""
        return (self.processors,) if self._lookup is None else (self._lookup.steps, self.processors)

    def _active(self) -> tuple[Processor, ...]:
        """Return what its values go through now."""
        own = self.processors.active
        return own if self._lookup is None else (*self._lookup.steps.active, *own)

    # Iterating

    def __aiter__(self) -> AsyncGenerator[T, None]:
        values = self._read()
        self._iterators.add(values)
        return values

    def _read(self, **options: Any) -> AsyncGenerator[T, None]:
        """Iterate, or subscribe to the results where the background runner iterates."""
        running = self._drive
        return self._iterate(**options) if running is None else subscribed(running, **options)

    def _iterate(self, **options: Any) -> AsyncGenerator[T, None]:
        values = iterate(self, **options)
        self._readers.add(values)
        return values

    def run(self) -> Self:
        """Run it in the background, so that no cell is busy with it, until ``stop()``; returns at once.

        What cannot be decoded or fails goes to ``errors`` and the stream goes on. ``async for`` and ``take`` then get
        a subscription of their own: what comes out from now on, with the runner waiting for the slowest.
        """
        from streamlab.runtime.runner import drive

        drive(self).kept = True
        return self

    def pause(self) -> None:
        """Stop taking values, until ``resume()``: within 0.1 s, or after the value that a processor works on.

        For a stream that runs in the background; from any thread, a plain call for any cell. What has come out is handed
        over and acked first. Nothing is lost: reading goes on until the buffer is full, then waits; a consumer group
        keeps its member, and partitions that go to another member meanwhile are read there.

        Raises
        ------
        InvalidState
            The stream does not run in the background.
        """
        self._driven("pause").pause()

    def resume(self) -> None:
        """Go on after ``pause()``; harmless when it is not paused. InvalidState when it does not run in the background."""
        self._driven("resume").resume()

    @property
    def paused(self) -> bool:
        """Whether it runs in the background and was paused."""
        running = self._drive
        return running is not None and running.paused

    async def restart(self, *, start: Any = KEEP, group: Any = KEEP) -> None:
        """Run it in the background again, whether it runs, is paused, was stopped, has ended or failed.

        What is in work is finished first. Loops and ``take`` over it end, as with ``stop()``.

        Parameters
        ----------
        start : position, optional
            Where to begin, as in ``topic.stream``; in a group too, whatever it has committed. By default it goes on where it
            stood.
        group : str or None, optional
            Join this group, or None to observe. By default as it was.

        Raises
        ------
        InvalidPosition
            A start that names no position: nothing was stopped.
        InvalidValue
            A start or group for a stream that reads no topic, or that is made of others: each has its own.
        InvalidState
            It is being iterated, or a processor does not return.
        """
        await renew(self, start=start, group=group)
        self.run()

    def retry(self, errors: Iterable[StreamError]) -> int:
        """Put what failed through the stream again, as its next values; a plain call, from any thread.

        Records are decoded anew, and go through the processors as those are now. The errors are taken out of
        ``stream.errors``; a record that fails again comes back there. Nothing is committed anew: what failed was acked then.

        Parameters
        ----------
        errors : iterable of StreamError
            Of ``stream.errors``, or that itself. Passed over, and kept: what is not in it any more, what no value caused, and what
            a join or a window could not take, for its key or its field.

        Returns
        -------
        int
            How many are tried again.

        Raises
        ------
        InvalidState
            The stream does not run in the background.
        """
        return self._driven("retry").retry(errors)

    def _driven(self, method: str) -> Drive:
        if self._drive is None:
            raise InvalidState(f"{method}() is for a stream that runs in the background, and this one does not: run() it first")
        return self._drive

    async def __anext__(self) -> T:
        raise NotSupported("a stream is no iterator: write `async for value in stream`, or anext(aiter(stream))")

    def __iter__(self) -> Iterator[T]:
        raise NotSupported("a stream is asynchronous: write `async for value in stream`")

    def __next__(self) -> T:
        raise NotSupported("a stream is asynchronous: write `async for value in stream`")

    async def events(self) -> AsyncIterator[Event]:
        """Yield the event of each value, with its raw value; values without an event are passed over."""
        async for _ in self:
            event = self.current_event
            if event is not None:
                yield event

    async def items(self) -> AsyncIterator[tuple[Any, T]]:
        """Yield (key, processed value); values without an event have the key None."""
        async for value in self:
            event = self.current_event
            yield (None if event is None else event.key), value

    async def enumerate(self, start: int = 0) -> AsyncIterator[tuple[int, T]]:
        """Yield (number, value), counting what is yielded."""
        async for value in self:
            yield start, value
            start += 1

    def take(self, max_: int, within: float | timedelta | str | None = None, *, within_from: WithinFrom = "request") -> Take[T]:
        """Yield batches of up to ``max_`` values.

        A batch is handed out when it is full, or ``within`` seconds after it was asked for (or after its first
        value, with ``within_from="first"``) if it has at least one value; None or 0 is no limit. The batch is acked
        when the next one is asked for. Nothing is read ahead.

        Yields
        ------
        Batch
            A list of values that shows itself as a DataFrame; ``.events`` runs parallel.

        Raises
        ------
        ValueError
            ``max_`` below 1.
        """
        return Take(self, max_, within, within_from=within_from)

    def take_events(
        self, max_: int, within: float | timedelta | str | None = None, *, within_from: WithinFrom = "request"
    ) -> Take[Event]:
        """As ``take``, yielding lists of events."""
        return Take(self, max_, within, within_from=within_from, pick=events_of)

    def noack_take(
        self, max_: int, within: float | timedelta | str | None = None, *, within_from: WithinFrom = "request"
    ) -> Take[Event]:
        """As ``take_events``, leaving the acks to the caller."""
        return Take(self, max_, within, within_from=within_from, pick=events_of, acks=False)

    def take_with_timestamp(
        self, max_: int, within: float | timedelta | str | None, timestamp_field_name: str, *, within_from: WithinFrom = "request"
    ) -> Take[T]:
        """As ``take``, with the message's timestamp (float seconds) put into each value under this name.

        Into dicts, and into objects that declare a field of the name; other values are unchanged.
        """
        return Take(self, max_, within, within_from=within_from, pick=stamped(timestamp_field_name))

    async def to_frame(self, n: int = 1000, *, within: float | timedelta | str | None = 5) -> pd.DataFrame:
        """Take up to ``n`` values, waiting at most ``within`` seconds, and return them as one DataFrame.

        The next call goes on behind them. An error is raised when nothing came before it, else warned about.
        """
        return await frame(self, n, within)

    # Acks, and what arrives from outside

    async def ack(self, event: Event) -> bool:
        """Ack an event; True only for the call that makes its message acked."""
        return event.ack()

    async def send(self, value: Any) -> None:
        """Give a value, or an event, to this stream's own iterator only; safe from any thread and loop."""
        if isinstance(self._source, PlainSource | StreamsSource):
            await self._source.send(value)
        else:
            await self.channel.queue.put(value)

    async def throw(self, exc: BaseException) -> None:
        """Raise this in one reader of the stream, ahead of the values that are queued."""
        self._source.throw(exc)

    # Life cycle

    @property
    def started(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._started

    @property
    def should_stop(self) -> bool:
        """Whether it was stopped."""
        return self._halted

    async def start(self) -> None:
        """Start it: runs ``on_start`` and consumes nothing by itself. AssertionError when it is started already."""
        await lifecycle.start(self)

    async def maybe_start(self) -> bool:
        """Start it unless it is started; True if this call did."""
        if self._started:
            return False
        await self.start()
        return True

    async def on_start(self) -> None:
        """Run the ``on_start=`` callback, and the forwarding of through and group_by."""
        await lifecycle.run_callback(self)
        if self._passive:
            await forwarding.start_draining(self)

    async def stop(self) -> None:
        """Stop the whole chain, and the nodes of a combined stream; loops over them end, a waiting one is woken.

        Batches that are not full are handed out first. Stopping twice is harmless. A stopped stream gives nothing.
        """
        for stream in lifecycle.chain_of(self):
            await lifecycle.halt(stream)

    async def on_stop(self) -> None:
        """Close loops that were left without being finished, and stop forwarding."""
        await lifecycle.close_iterators(self)
        await lifecycle.stop_draining(self)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()
        lifecycle.reopen(self)


def _as_a_stream(node: object) -> str:
    """Return how to make a stream of something else."""
    if isinstance(node, Channel):
        return f"give stream() of {clean(node.shortlabel)}"
    if isinstance(node, Windowed):
        return "say first what is wanted of each window, such as count()"
    if isinstance(node, str):
        return f"give app.topic({node!r}).stream(), or app.table({node!r})"
    if isinstance(node, Iterable | AsyncIterable):
        return f"give app.stream(...) of what is {clean(repr(node))}"
    return f"{clean(repr(node))} is neither"
