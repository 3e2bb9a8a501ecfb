"""take and its variants: batches of a stream's values, read in the consumer's own task."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Generic, Literal, SupportsIndex, TypeVar, overload

from streamlab.channels import seconds
from streamlab.errors import InvalidValue
from streamlab.events import Cell, Event, current_cell, event_of
from streamlab.iteration import LATE, Timer
from streamlab.loops import FOREVER
from streamlab.outcomes import ack_cell, cell_item, left

if TYPE_CHECKING:
    from datetime import timedelta

    import pandas as pd

    from streamlab.frames import FrameSchema
    from streamlab.streams import Stream

__all__ = ["Batch", "Take", "WithinFrom"]

T = TypeVar("T")
Reason = Literal["full", "time", "end"]
WithinFrom = Literal["request", "first"]
Pick = Callable[[list[Any], list[Cell]], list[Any]]


class FrameMemory:
    """Where ``streamlab.frames`` keeps the dtypes of a stream's frames, so that they stay the same."""

    __slots__ = ("schema",)

    def __init__(self) -> None:
        self.schema: FrameSchema | None = None


class Batch(list[T], Generic[T]):
    """A list of values that shows itself as a DataFrame.

    Attributes
    ----------
    events : list of Event or None
        Parallel to the values; made when they are asked for.
    number : int
        Counts the batches of one ``take``, from 0.
    reason : str
        Why it was handed out: "full", "time" or "end".
    """

    def __init__(
        self,
        values: Iterable[T] = (),
        cells: list[Cell] | None = None,
        *,
        number: int = 0,
        reason: Reason = "full",
        memory: FrameMemory | None = None,
    ) -> None:
        super().__init__(values)
        self.cells: list[Cell] = cells if cells is not None else [(None, None, value, None, FOREVER) for value in self]
        self.number = number
        self.reason: Reason = reason
        self.memory = FrameMemory() if memory is None else memory

    @property
    def events(self) -> list[Event | None]:
        """The events of the values."""
        return _events(self.cells)

    def to_frame(self, *, headers: bool = False, depth: int = 3) -> pd.DataFrame:
        """Return a row a value: index partition and offset, then timestamp (UTC), key, and the values' fields.

        Parameters
        ----------
        headers : bool
            Add a column of the message headers.
        depth : int
            Nested objects become dotted columns down to here.
        """
        from streamlab.frames import batch_frame

        return batch_frame(self, headers=headers, depth=depth)

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Batch[T]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        if isinstance(index, slice):
            values = super().__getitem__(index)
            return Batch(values, self.cells[index], number=self.number, reason=self.reason, memory=self.memory)
        return super().__getitem__(index)

    def _repr_html_(self) -> str:
        from streamlab.frames import batch_html

        return batch_html(self)


def _events(cells: list[Cell]) -> list[Event | None]:
    """Make the events of cells, which keep them from then on."""
    cells[:] = [list(cell) if isinstance(cell, tuple) else cell for cell in cells]
    return [event_of(cell) for cell in cells]


def events_of(_values: list[Any], cells: list[Cell]) -> list[Any]:
    """Pick the events; values without one are passed over."""
    return [event for event in _events(cells) if event is not None]


def stamped(field: str) -> Pick:
    """Pick the values, with the message's timestamp in this field of those that can have it."""

    def pick(values: list[Any], cells: list[Cell]) -> list[Any]:
        for value, event in zip(values, _events(cells), strict=True):
            if event is None:
                continue
            if isinstance(value, dict):
                value[field] = event.message.timestamp
            elif field in _fields_of(value):
                setattr(value, field, event.message.timestamp)
        return values

    return pick


def _fields_of(value: Any) -> Iterable[str]:
    for names in ("__struct_fields__", "__dataclass_fields__"):
        if hasattr(value, names):
            fields: Iterable[str] = getattr(value, names)
            return fields
    declared: Iterable[str] = getattr(type(value), "model_fields", ())
    return declared


class Take(Generic[T]):
    """The batches of a stream, as an asynchronous generator that can be looped over again after a break.

    Parameters are those of ``Stream.take``; ``pick`` makes what is yielded from values and their cells, a Batch by
    default; ``acks=False`` leaves the acks to the caller; without patience it ends when the time is over and nothing came.
    """

    def __init__(
        self,
        stream: Stream[Any],
        max_: int,
        within: float | timedelta | str | None,
        *,
        within_from: WithinFrom = "request",
        pick: Pick | None = None,
        acks: bool = True,
        patient: bool = True,
    ) -> None:
        if max_ < 1:
            raise InvalidValue(f"a batch of at most {max_} values is never handed out: take at least 1")
        if within_from not in ("request", "first"):
            raise InvalidValue(f'within_from is "request" or "first", not {within_from!r}')
        self.stream = stream
        self.max_ = max_
        self.within_s = seconds(within)
        self.within_from = within_from
        self._pick = pick
        self._acks = acks
        self._patient = patient
        self._failure: Exception | None = None
        self._batches = self._run()
        stream._iterators.add(self)

    async def _run(self) -> AsyncGenerator[Any, None]:
        stream, timer = self.stream, Timer()
        reader = stream._read(timer=timer, acks=False)
        values: list[Any] = []
        cells: list[Cell] = []
        number = 0
        acked_before = stream.enable_acks
        stream.enable_acks = False
        try:
            reason: Reason = "time"
            while reason != "end":
                reason = await self._collect(reader, timer, values, cells)
                if not values:
                    break
                cells[-1] = stream._cell = list(cells[-1])  # a list keeps its event
                current_cell.set(cells[-1])
                taken, handed = cells, self._hand_out(values, cells, number, reason)
                values, cells = [], []
                number += 1
                try:
                    yield handed
                except BaseException:  # closed or thrown into: the body is done with the batch all the same
                    if self._acks:
                        left(stream, taken)
                    raise
                finally:
                    stream._cell = None
                self._settle(taken)
            self._raise_failure()
        finally:
            for cell in reversed(cells):
                stream._source.give_back(*cell_item(cell))
            stream.enable_acks = acked_before
            current_cell.set(None)
            await reader.aclose()

    async def _collect(self, reader: AsyncGenerator[Any, None], timer: Timer, values: list[Any], cells: list[Cell]) -> Reason:
        """Fill the lists up to a batch; returns why it is one. An error comes out when what was before it is handed out."""
        stream, max_ = self.stream, self.max_
        subscribed = stream._drive is not None
        from_first = self.within_from == "first"
        self._restart(timer, waiting=from_first)
        try:
            async for value in reader:
                if value is LATE:
                    if values or not self._patient:
                        return "time"
                    self._restart(timer, waiting=from_first)
                    continue
                values.append(value)
                cells.append(current_cell.get() if subscribed else stream._cell)  # type: ignore[arg-type] # set with every value
                if len(values) >= max_:
                    return "full"
                if timer.deadline is None:
                    if from_first:
                        self._restart(timer, waiting=False)
                elif perf_counter() >= timer.deadline:
                    return "time"
        except Exception as error:
            if not values:
                raise
            self._failure = error
        return "end"

    def _raise_failure(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _restart(self, timer: Timer, *, waiting: bool) -> None:
        timer.deadline = perf_counter() + self.within_s if self.within_s and not waiting else None

    def _hand_out(self, values: list[Any], cells: list[Cell], number: int, reason: Reason) -> Any:
        if self._pick is None:
            return Batch(values, cells, number=number, reason=reason, memory=self.stream.frame_memory)
        return self._pick(values, cells)

    def _settle(self, cells: list[Cell]) -> None:
        if self._acks:
            for cell in cells:
                ack_cell(cell)

    def __aiter__(self) -> Take[T]:
        return self

    async def __anext__(self) -> Any:
        return await self._batches.__anext__()

    async def asend(self, value: Any) -> Any:
        """As for an asynchronous generator."""
        return await self._batches.asend(value)

    async def athrow(self, *error: Any) -> Any:
        """As for an asynchronous generator: raise in the loop; the batch that is out is acked."""
        return await self._batches.athrow(*error)

    async def aclose(self) -> None:
        """Ack the batch that is out, give back what was not handed out."""
        await self._batches.aclose()

    @property
    def ag_running(self) -> bool:
        """Whether somebody waits for a batch."""
        return bool(self._batches.ag_running)  # type: ignore[attr-defined] # missing in typeshed


async def frame(stream: Stream[Any], n: int, within: float | timedelta | str | None) -> pd.DataFrame:
    """Return the values that come within the time, at most ``n``, as one DataFrame."""
    batches: Take[Any] = Take(stream, n, within, patient=False)
    try:
        async for batch in batches:
            taken: pd.DataFrame = batch.to_frame()
            return taken
    finally:
        await batches.aclose()
    return Batch([], memory=stream.frame_memory).to_frame()
