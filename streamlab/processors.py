"""The live, ordered, named list of a stream's processors."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from streamlab.errors import InvalidType, InvalidValue, Skip
from streamlab.sampling import Sample, look_at_next
from streamlab.texts import clean

if TYPE_CHECKING:
    from streamlab.loops import Loop

__all__ = ["Processor", "Processors", "refuse_generator"]

Function = Callable[[Any], Any]
NAME_LIMIT = 40
"""So much of a name is shown in one line."""


class Processor:
    """One processor with its counters.

    Attributes
    ----------
    name : str
    function : callable
        Takes the value, returns the next one, or something to await for it.
    call : callable
        What loops call: the function, or for one call what looks at it, see ``watch``.
    enabled : bool
    kind : str
        "processor", "filter", "echo", "through" or "group_by".
    targets : tuple
        The channels that it writes to.
    seen, passed, skipped, errors : int
        Values that came in, that came out, that it dropped by Skip, that it failed on.
    seconds : float
        Wall-clock time spent in it, waiting included: exact while the loop is slow, else from one call of sixty-four.
    """

    __slots__ = (
        "_passed",
        "call",
        "enabled",
        "errors",
        "function",
        "kind",
        "live",
        "name",
        "plain",
        "seconds",
        "skipped",
        "targets",
    )

    def __init__(
        self, function: Function, name: str, *, kind: str = "processor", targets: tuple[Any, ...] = (), enabled: bool = True
    ) -> None:
        refuse_generator(function)
        if not callable(function):
            raise InvalidType(f"a processor must be callable with one value, not {function!r}: pass the function itself")
        self.function = self.call = function
        self.name = name
        self.kind = kind
        self.targets = targets
        self.enabled = enabled
        self._passed = self.skipped = self.errors = 0
        self.seconds = 0.0
        self.live: Processors | None = None
        """The list that it is in."""
        self.plain: type | None = None
        """Type of the latest result that needed no await, so that the next one of it is not looked at."""

    @property
    def passed(self) -> int:
        """Values that came out."""
        loops = () if self.live is None else self.live.loops
        return self._passed + sum(loop.uncounted for loop in loops if self in loop.active)

    @property
    def seen(self) -> int:
        """Values that came in and are through."""
        return self.passed + self.skipped + self.errors

    @property
    def is_active(self) -> bool:
        """Whether values go through it: it is switched on, and was not taken out of its list."""
        return self.live is None or self in self.live.active

    def add_passed(self, count: int) -> None:
        """Count values that came out."""
        self._passed += count

    def watch(self, on_before: Callable[[Any], object], on_after: Callable[[Sample], object]) -> None:
        """Look at the next call, and at no other; from any thread. A second watch takes the place of one that waits.

        Parameters
        ----------
        on_before : callable
            Gets the value before the call. Processors may change values in place: what is wanted of it is to be copied now.
        on_after : callable
            Gets a ``Sample``: the result (of an async processor the awaited one) or the exception, Skip too.

        Notes
        -----
        Both are called on the thread of the loop, which waits for them. What they raise is lost: looking changes nothing.
        """
        look_at_next(self, on_before, on_after)

    def unwatch(self) -> None:
        """Forget a watch that still waits for its call."""
        self.call = self.function

    def copy(self) -> Processor:
        """Return the same processor with counters of its own."""
        return Processor(self.function, self.name, kind=self.kind, targets=self.targets, enabled=self.enabled)

    def __repr__(self) -> str:
        off = "" if self.enabled else " disabled"
        return f"<{self.kind} {clean(self.name, NAME_LIMIT)}{off}: in={self.seen} out={self.passed} skipped={self.skipped} errors={self.errors}>"


class Processors:
    """Ordered, named collection; every change takes effect at the next event, from any thread.

    Processors are found by name, by function or by position. Iterating gives ``Processor`` entries in order.

    Examples
    --------
    >>> from streamlab.processors import Processors
    >>> live = Processors()
    >>> live.add(str.upper, name="shout").name
    'shout'
    >>> live.disable("shout"); [entry.enabled for entry in live]
    [False]
    """

    def __init__(self, entries: Iterable[Processor] = ()) -> None:
        self._lock = threading.RLock()
        self._entries: list[Processor] = list(entries)
        self._handed_out = 0
        self.loops: tuple[Loop, ...] = ()
        """The loops that run values through them now."""
        self.version = 0
        """Counts changes."""
        self.active: tuple[Processor, ...] = ()
        """The enabled ones in order: one tuple, replaced as a whole, so that a reader needs no lock."""
        self._changed()

    @classmethod
    def of(cls, functions: Iterable[Callable[[Any], Any]] | Processors | None) -> Processors:
        """Return a collection of these functions; a copy, if they are one."""
        if isinstance(functions, Processors):
            return functions.copy()
        made = cls()
        for function in functions or ():
            made.add(function)
        return made

    def _changed(self) -> None:
        for entry in self._entries:
            entry.live = self
        self.active = tuple(entry for entry in self._entries if entry.enabled)
        self.version += 1
        self.call_attention()
        for loop in self.loops:
            wait = loop.wait
            if wait is not None and not wait.processor.is_active:
                wait.interrupt_later()

    def call_attention(self) -> None:
        """Have the running loops look up before their next item."""
        for loop in self.loops:
            loop.attention = True

    @property
    def handed_out(self) -> int:
        """Values that came out of the last one and were handed out."""
        return self._handed_out + sum(loop.done - loop.dropped for loop in self.loops)

    def retire(self, loop: Loop) -> None:
        """Keep what a loop counted that is over."""
        with self._lock:
            self.loops = tuple(other for other in self.loops if other is not loop)
            self._handed_out += loop.done - loop.dropped

    def add(
        self, function: Function, *, name: str | None = None, kind: str = "processor", targets: tuple[Any, ...] = ()
    ) -> Processor:
        """Append; with an explicit name that is taken, replace in place."""
        return self.insert(len(self._entries), function, name=name, kind=kind, targets=targets)

    def insert(
        self, index: int, function: Function, *, name: str | None = None, kind: str = "processor", targets: tuple[Any, ...] = ()
    ) -> Processor:
        """Put it at a position; with an explicit name that is taken, replace in place.

        Without a name it is ``function.__name__``, with _2, _3 behind it when taken.
        """
        with self._lock:
            if name is not None and name in self.names:
                return self.replace(name, function, kind=kind, targets=targets)
            entry = Processor(function, name or self.free_name(name_of(function)), kind=kind, targets=targets)
            self._entries.insert(index, entry)
            self._changed()
            return entry

    def define(self, function: Function, *, name: str | None = None) -> Processor:
        """Add it, or replace in place the processor of that name: what ``@stream.processor`` does."""
        return self.add(function, name=name or name_of(function))

    def remove(self, which: str | Function | int) -> Processor:
        """Take it out."""
        with self._lock:
            entry = self._entries.pop(self._index(which))
            entry.unwatch()
            self._changed()
            return entry

    def replace(
        self, which: str | Function | int, function: Function, *, kind: str = "processor", targets: tuple[Any, ...] = ()
    ) -> Processor:
        """Put another function in its place, under the same name, with counters from zero; it filters and writes no more."""
        with self._lock:
            index = self._index(which)
            old = self._entries[index]
            old.unwatch()
            entry = Processor(function, old.name, kind=kind, targets=targets, enabled=old.enabled)
            self._entries[index] = entry
            self._changed()
            return entry

    def move(self, which: str | Function | int, index: int) -> None:
        """Put it at another position of the list; negative ones count from the end."""
        with self._lock:
            if not -len(self._entries) <= index < len(self._entries):
                raise InvalidValue(f"there is no position {index} among {len(self._entries)} processors")
            entry = self._entries.pop(self._index(which))
            self._entries.insert(index if index >= 0 else len(self._entries) + 1 + index, entry)
            self._changed()

    def enable(self, which: str | Function | int) -> None:
        """Switch it on."""
        self._switch(which, enabled=True)

    def disable(self, which: str | Function | int) -> None:
        """Switch it off: values pass it by."""
        self._switch(which, enabled=False)

    def _switch(self, which: str | Function | int, *, enabled: bool) -> None:
        with self._lock:
            self._entries[self._index(which)].enabled = enabled
            self._changed()

    @property
    def names(self) -> list[str]:
        """Names in order."""
        return [entry.name for entry in self._entries]

    def snapshot(self) -> tuple[Processor, ...]:
        """Return what is there now, for ``restore``."""
        with self._lock:
            return tuple(self._entries)

    def restore(self, entries: Iterable[Processor]) -> None:
        """Go back to what ``snapshot`` returned."""
        with self._lock:
            before, self._entries = self._entries, list(entries)
            for entry in before:
                if entry not in self._entries:
                    entry.unwatch()
            self._changed()

    def copy(self) -> Processors:
        """Return the same processors in a list of their own, with counters of their own."""
        return Processors(entry.copy() for entry in self.snapshot())

    def free_name(self, wanted: str) -> str:
        """Return the name, with _2, _3 behind it when it is taken."""
        names = set(self.names)
        name, number = wanted, 1
        while name in names:
            number += 1
            name = f"{wanted}_{number}"
        return name

    def _index(self, which: str | Function | int) -> int:
        for index, entry in enumerate(self._entries):
            if which in (index, entry.name, entry.function):
                return index
        if isinstance(which, int) and -len(self._entries) <= which < 0:
            return which
        raise InvalidValue(f"there is no processor {which!r}; there are: {', '.join(self.names) or 'none'}")

    def __getitem__(self, which: str | Function | int) -> Processor:
        with self._lock:
            return self._entries[self._index(which)]

    def __contains__(self, which: object) -> bool:
        return any(which in (entry, entry.name, entry.function) for entry in self.snapshot())

    def __iter__(self) -> Iterator[Processor]:
        return iter(self.snapshot())

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Processors: {', '.join(clean(name, NAME_LIMIT) for name in self.names) or 'none'}>"

    def _repr_html_(self) -> str:
        from streamlab.display import processors_html

        return processors_html(self)


def name_of(function: object) -> str:
    """Return the name that a function goes by; wrapped and partial ones by what they wrap."""
    while True:
        name = getattr(function, "__name__", None)
        if isinstance(name, str):
            return name
        inner = getattr(function, "func", None)
        if inner is None:
            return type(function).__name__
        function = inner


def refuse_generator(function: object) -> None:
    """Raise for a function that yields: what it returns is no value."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidType(
            f"{clean(name_of(function), NAME_LIMIT)} yields, so that a generator would come out of it and none of its values: a processor "
            "returns one value for each that it gets, or raises Skip"
        )


def filter_by(function: Function) -> Function:
    """Return a processor that drops the values for which the function, sync or async, is falsy."""
    refuse_generator(function)
    if not callable(function):
        raise InvalidType(f"filter() takes a function of one value, not {function!r}")

    def keep(value: Any) -> Any:
        verdict = function(value)
        if hasattr(verdict, "__await__"):
            return keep_later(value, verdict)
        if not verdict:
            raise Skip
        return value

    async def keep_later(value: Any, verdict: Any) -> Any:
        if not await verdict:
            raise Skip
        return value

    keep.__name__ = name_of(function)
    return functools.update_wrapper(keep, function, assigned=(), updated=())  # its code is to be found
