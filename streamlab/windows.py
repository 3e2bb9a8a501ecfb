"""Windowed aggregation: what ``tumbling``, ``hopping`` and ``session`` return, the windows themselves, and the source behind them."""

from __future__ import annotations

import keyword
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from streamlab.aggregates import Aggregate, Recipe, name_of
from streamlab.arrivals import Arrival, Output, Result
from streamlab.channels import seconds
from streamlab.errors import InvalidType, InvalidValue, NoSuchMember
from streamlab.failures import StreamError
from streamlab.holding import Hold
from streamlab.joins import idle_s
from streamlab.merged import StreamsSource
from streamlab.models import Record, RecordMeta
from streamlab.tracebacks import forget_frames
from streamlab.windowing import Made, Shape, WindowEngine

if TYPE_CHECKING:
    from streamlab.events import TP, Carrier
    from streamlab.runtime.acks import AckStore
    from streamlab.runtime.feed import Feed
    from streamlab.streams import Stream

__all__ = ["AnyWindow", "Window", "WindowSource", "Windowed", "windowed"]

NOTE = "windows up to"
"""The name of the note that is committed with the offsets: milliseconds."""
Emit = Literal["final", "update"]


class AnyWindow(Record, abstract=True):
    """What all windows have.

    Attributes
    ----------
    key : Any
        What its records have in common; None for those without a key.
    start, end : float
        Seconds since 1970, UTC. The start is in the window, the end is not.
    count : int
        Records in it.
    """

    key: Any
    start: float
    end: float
    count: int


class Window(AnyWindow):
    """One window of one key, with one aggregate.

    Attributes
    ----------
    value : Any
        The aggregate: of ``count()`` the count, of ``sum(field)`` the sum, and so on. ``agg(total=...)`` makes windows that
        have fields of those names instead.

    Examples
    --------
    >>> Window(key="DE", start=0.0, end=60.0, count=2, value=7.5)
    Window(key='DE', start=0.0, end=60.0, count=2, value=7.5)
    """

    value: Any


OWN_FIELDS = (*AnyWindow.__struct_fields__, *vars(Record))


@lru_cache(maxsize=256)
def window_class(names: tuple[str, ...]) -> type[AnyWindow]:
    """Return the class of windows with these aggregates."""
    fields = dict.fromkeys(names, Any)
    made: Any = RecordMeta(
        "Window", (AnyWindow,), {"__annotations__": fields, "__module__": __name__, "__doc__": AnyWindow.__doc__}
    )
    kind: type[AnyWindow] = made
    return kind


@dataclass(frozen=True, slots=True)
class Rules:
    """How a stream is cut into windows; what the methods of the stream were given."""

    kind: str
    shape: Shape
    by: Any
    emit: Emit
    idle_s: float | None
    max_windows: int

    def __str__(self) -> str:
        size, step, grace = (f"{ms / 1000:g}" for ms in self.shape)
        times = f"{size}, {step}" if self.kind == "hopping" else size
        by = "" if self.by is None else f", by={name_of(self.by) if self.by != () else '()'}"
        late = f", grace={grace}" if self.shape.grace_ms else ""
        idle = "" if self.idle_s is None else f", idle={self.idle_s:g}"
        return f"{self.kind}({times}{by}{late}{idle})"


AGGREGATES = "count(), sum(field), mean(field), min(field), max(field) or agg(...)"


class Windowed:
    """A stream cut into windows: say what to compute of each, and get a stream of windows.

    Fields are field descriptors (``Order.price``), names (of a dict's entries, or attributes), or functions of the value.
    None, NaN and entries that a dict does not have are missing values: they count as records, and no aggregate sees them.
    What is no number where one is needed goes to ``errors`` of the resulting stream, and its record is in no window.

    The state of a window is the aggregates', not the values, except for functions: those get a list of all values.
    """

    def __init__(self, stream: Stream[Any], rules: Rules) -> None:
        self._stream = stream
        self._rules = rules

    def __repr__(self) -> str:
        return f"<{self._rules} of {self._stream!r}: {AGGREGATES}>"

    if not TYPE_CHECKING:  # a type checker says so by itself

        def __aiter__(self) -> NoReturn:
            raise self._unsaid()

        def __getattr__(self, name: str) -> NoReturn:
            if hasattr(type(self._stream), name) and not name.startswith("_"):
                raise self._unsaid()
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def _unsaid(self) -> NoSuchMember:
        return NoSuchMember(f"{self._rules} says how the stream is cut, and not what is wanted of each window: add {AGGREGATES}")

    def count(self, field: Any = None) -> Stream[Window]:
        """Return a stream of windows with the number of their records; with a field, of those that have it."""
        return self._one("count", field)

    def sum(self, field: Any) -> Stream[Window]:
        """Return a stream of windows with the sum of a field; 0 where it is missing in all records, as in pandas."""
        return self._one("sum", field)

    def mean(self, field: Any) -> Stream[Window]:
        """Return a stream of windows with the mean of a field; None where it is missing in all records."""
        return self._one("mean", field)

    def min(self, field: Any) -> Stream[Window]:
        """Return a stream of windows with the smallest number of a field; None where it is missing in all records."""
        return self._one("min", field)

    def max(self, field: Any) -> Stream[Window]:
        """Return a stream of windows with the largest number of a field; None where it is missing in all records."""
        return self._one("max", field)

    def agg(self, function: Callable[[list[Any]], Any] | None = None, field: Any = None, /, **named: Any) -> Stream[Any]:
        """Return a stream of windows with what a function makes of all their values, or with several aggregates, as in pandas.

        Parameters
        ----------
        function : callable, optional
            Of the list of the values in the window, in the order of arrival; what it returns is the window's ``value``. All
            values are kept until the window closes. When it raises, that goes to ``errors``, and there is no such window.
        field : optional
            Whose values the function gets, without the missing ones; by default the stream's values.
        **named
            ``total=(Order.price, "sum")``, ``n="count"``, ``median=(Order.price, statistics.median)``, ``last=function``.
            The windows have fields of these names in place of ``value``.

        Raises
        ------
        InvalidType, InvalidValue
            What is no aggregate, and names that windows cannot have.

        Examples
        --------
        >>> orders.tumbling(60, by=Order.country).agg(total=(Order.price, "sum"), n="count")  # doctest: +SKIP
        """
        if (function is None) != bool(named):
            raise InvalidType(
                'agg() takes a function, agg(statistics.median, Order.price), or names, agg(total=(Order.price, "sum"), n="count")'
            )
        if function is not None:
            spec = function if field is None else (field, function)
            if not callable(function):
                raise InvalidType(f"agg() takes a function of the list of values, not {function!r}")
            return self._windows([Aggregate.of("value", spec)], Window)
        for name in named:
            _check_name(name)
        aggregates = [Aggregate.of(name, spec) for name, spec in named.items()]
        return self._windows(aggregates, window_class(tuple(named)))

    def _one(self, how: str, field: Any) -> Stream[Window]:
        return self._windows([Aggregate("value", how, field)], Window)

    def _windows(self, aggregates: list[Aggregate], make: type[AnyWindow]) -> Stream[Any]:
        stream = self._stream
        source = WindowSource(self._rules, Recipe(self._rules.by, aggregates, make))
        if stream._source.is_merge:
            source.take_after(stream._source)
        made = stream._chain(combined=[stream])
        made._origin = stream
        made._reads(source)
        return made


def _check_name(name: str) -> None:
    if name in OWN_FIELDS:
        raise InvalidValue(f"a window cannot have an aggregate that is called {name}, which it has already: give another name")
    if name.startswith("_") or keyword.iskeyword(name):
        raise InvalidValue(
            f"a window cannot have an aggregate that is called {name}, which is no name for a field: give another name"
        )


class WindowSource(StreamsSource):
    """Reads a stream and gives its windows.

    Parameters
    ----------
    rules : Rules
    recipe : Recipe
    """

    def __init__(self, rules: Rules, recipe: Recipe) -> None:
        super().__init__(idle_s=rules.idle_s)
        self.rules = rules
        self.recipe = recipe
        self._ours: set[AckStore] = set()
        self.engine = WindowEngine(
            rules.shape, recipe, updates=rules.emit == "update", max_windows=rules.max_windows, failed=self._failed
        )

    @property
    def made_by(self) -> str:  # type: ignore[override] # told by its rules
        """Into which windows, and what is computed of each."""
        updates = " emit=update" if self.rules.emit == "update" else ""
        return f"{self.rules} {', '.join(map(str, self.recipe.aggregates))}{updates}"

    def again(self) -> WindowSource:
        """Return the same with windows of its own."""
        source = WindowSource(self.rules, self.recipe)
        source.take_after(self)
        return source

    def arrived(self, arrivals: list[Arrival]) -> Iterable[Carrier]:
        """Return the windows that these close or change."""
        now = time.monotonic()
        apart = bool(self.stores)
        if apart or self._ours:
            self._meet()
        made = self.engine.add(arrivals, now, apart=apart)
        if apart and self.idle_s is not None:
            made += self.engine.idle(now - self.idle_s)
        return _outputs(made)

    def begin(self, stream: Stream[Any], *, keep_going: bool) -> None:
        """Know that a loop begins."""
        super().begin(stream, keep_going=keep_going)
        for feed in self.feeds:
            if feed.group is not None:
                feed.notes_of[self._named(NOTE)] = partial(self._note, feed)

    def _note(self, feed: Feed, tp: TP) -> str:
        """Return what whoever reads a partition next has to know: up to which stream time its windows are done."""
        known = (self.engine.done_up_to(tp.partition), _time_in(feed.noted(tp, self._named(NOTE))))
        done_ms = max((ms for ms in known if ms is not None), default=None)
        return "" if done_ms is None else str(done_ms)

    def _meet(self) -> None:
        """Drop the windows of partitions that are another consumer's now, and take in what was noted about new ones."""
        closed = {store for store in self._ours if store.closed}
        self.engine.drop({store.tp.partition for store in closed})
        fresh = {store.tp.partition for store in self.stores - self._ours}
        for feed in self.feeds:
            for tp in tuple(feed.notes):
                done_ms = _time_in(feed.noted(tp, self._named(NOTE)))
                if done_ms is not None and tp.partition in fresh:
                    self.engine.know(tp.partition, done_ms)
        self._ours = (self._ours - closed) | self.stores

    def revoked(self, stores: set[AckStore]) -> None:
        """Drop their windows."""
        self._meet()

    def idled(self) -> Iterable[Carrier]:
        """Close all windows."""
        return _outputs(self.engine.idle(math.inf))

    def ended(self) -> Iterable[Carrier]:
        """Close all windows; not those whose records a group reads again."""
        if self._of_group and any(node.should_stop for node in self.nodes):
            return ()
        return _outputs(self.engine.flush())

    def stopped(self) -> Iterable[Carrier] | None:
        """Return what is not handed out, and all windows; those whose records a group reads again stay unsaid."""
        return None if self._of_group else chain(self.run[0], self.ended())

    def reopen(self) -> None:
        """Read again; windows of what is read from elsewhere begin anew."""
        super().reopen()
        if any(feed.insists for feed in self.feeds):
            self.engine.clear()

    @property
    def _of_group(self) -> bool:
        return bool(self._ours or self.stores)

    def counters(self) -> dict[str, int]:
        """Return open windows, late records, and windows that were handed out."""
        return {"open_windows": self.engine.open_windows, "late": self.engine.late, "emitted": self.engine.emitted}

    def _failed(self, arrival: Arrival, error: Exception) -> None:
        event = arrival.as_event()
        if event is None:
            entry = StreamError(None, None, None, arrival.timestamp, None, arrival.value, error, str(self.rules))
        else:
            message = event.message
            place = (message.topic, message.partition, message.offset, message.timestamp, message.key, message.value)
            entry = StreamError(*place, error, str(self.rules), message.headers, message.timestamp_type)
        forget_frames(error)
        for stream in list(self.users):
            stream.errors.add(entry)


def _outputs(made: list[Made]) -> list[Carrier]:
    return [
        Output.of(value, cause) if hold is None else Result.of(value, cause, _letting_go(hold)) for value, cause, hold in made
    ]


def _time_in(note: str) -> int | None:
    """Return the time that a note tells; None where there is none."""
    return int(note) if note.removeprefix("-").isdecimal() else None


def _letting_go(hold: Hold) -> Callable[[Output], None]:
    return lambda _: hold.let_go()


def windowed(stream: Stream[Any], kind: str, size: Any, step: Any, options: Mapping[str, Any]) -> Windowed:
    """Return a stream cut into windows; see ``Stream.tumbling``, whose options these are."""
    by, grace, emit, idle, max_windows = (options[name] for name in ("by", "grace", "emit", "idle", "max_windows"))
    named = {"tumbling": "size", "hopping": "size", "session": "gap"}[kind]
    step_ms = 0 if kind == "session" else _milliseconds("step" if kind == "hopping" else named, step, 1)
    shape = Shape(_milliseconds(named, size, 1), step_ms, _milliseconds("grace", grace, 0))
    if shape.step_ms > shape.size_ms:
        raise InvalidValue(f"step={step!r} is longer than size={size!r}: what comes between two windows would be in none")
    if emit not in ("final", "update"):
        raise InvalidValue(f'emit is "final", when a window closes, or "update", at every change; not {emit!r}')
    if type(max_windows) is not int or max_windows < 1:
        raise InvalidValue(f"max_windows={max_windows!r} leaves no room for a window: give a whole number of 1 or more")
    return Windowed(stream, Rules(kind, shape, by, emit, idle_s(idle), max_windows))


def _milliseconds(name: str, value: Any, least: int) -> int:
    length_s = math.nan if value is None else seconds(value, name)
    whole = math.isfinite(length_s) and math.isclose(round(length_s * 1000), length_s * 1000, rel_tol=1e-9)
    if not whole or round(length_s * 1000) < least:
        raise InvalidValue(
            f"{name}={value!r} is no length of a window: give seconds, in whole milliseconds as timestamps are, "
            f"{'at least 0' if not least else 'more than 0'}"
        )
    return round(length_s * 1000)
