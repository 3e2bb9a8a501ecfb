"""Windowed aggregation: what ``tumbling``, ``hopping`` and ``session`` return, which asks what to compute of each window."""

from __future__ import annotations

import keyword
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from streamlab.aggregates import Aggregate
from streamlab.errors import InvalidType, InvalidValue, NoSuchMember
from streamlab.recipes import Recipe
from streamlab.window_source import WindowSource
from streamlab.windows import OWN_FIELDS, AnyWindow, Window, window_class

if TYPE_CHECKING:
    from streamlab.streams import Stream
    from streamlab.window_rules import Rules

__all__ = ["Windowed"]

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
