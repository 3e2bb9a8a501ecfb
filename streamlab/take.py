"""take and its variants: batches of a stream's values, read in the consumer's own task."""

from __future__ import annotations

import math
import warnings
from collections.abc import AsyncGenerator, Callable, Iterator
from functools import partial
from operator import index
from time import perf_counter
from typing import TYPE_CHECKING, Any, Generic, Literal, SupportsIndex, TypeVar

from streamlab.baskets import Basket
from streamlab.batch import Batch, Pick, Reason
from streamlab.durations import seconds
from streamlab.errors import InvalidType, InvalidValue, NotSupported
from streamlab.events import current_cell
from streamlab.iteration import LATE, Timer
from streamlab.texts import clean, said

if TYPE_CHECKING:
    from datetime import timedelta

    import pandas as pd

    from streamlab.streams import Stream
    from streamlab.views.explorer import Explorer

__all__ = ["Take", "WithinFrom", "frame"]

T = TypeVar("T")
WithinFrom = Literal["request", "first"]


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
        if not isinstance(max_, SupportsIndex):
            raise InvalidType(f"a batch has a whole number of values, at most; not {max_!r}")
        if index(max_) < 1:
            raise InvalidValue(f"a batch of at most {max_} values is never handed out: take at least 1")
        if within_from not in ("request", "first"):
            raise InvalidValue(f'within_from is "request" or "first", not {within_from!r}')
        self.stream = stream
        within_s = seconds(within, "within")
        if within_s < 0 or math.isnan(within_s):
            raise InvalidValue(f"within={within!r} is no time to wait: give seconds, or None for no limit")
        self.max_ = index(max_)
        self.renewed: Callable[[], Take[T]] = partial(
            Take, stream, max_, within, within_from=within_from, pick=pick, acks=acks, patient=patient
        )
        """Makes the same anew, for when this one has ended."""
        taking = _Taking(stream, self.max_, within_s, within_from, pick, acks=acks, patient=patient)
        self._batches = taking.run()
        self._taking = taking
        stream._iterators.add(self)

    def live(self) -> Explorer:
        """Return the stream's explorer with these batches: each shown as it comes, or one at a time with the step button.

        The batches are taken in the background, and end when the stream is stopped or restarted; the stream waits while they
        are stepped through.

        Returns
        -------
        Explorer
            As of ``Stream.explore``, on its tab of the batches.
        """
        from streamlab.views.showing import explore_batches

        return explore_batches(self)

    def __str__(self) -> str:
        within_s = self._taking.within_s
        return f"take {self.max_:,}, {within_s:g} s" if within_s else f"take {self.max_:,}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: at most {self.max_} of {self.stream!r}>"

    def __iter__(self) -> Iterator[Any]:
        raise NotSupported("batches come asynchronously: write `async for batch in stream.take(...)`")

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


class _Taking:
    """What a Take does. Its generator does not hold the Take: one that a loop has left is finalized at once, not some day."""

    def __init__(
        self,
        stream: Stream[Any],
        max_: int,
        within_s: float,
        within_from: WithinFrom,
        pick: Pick | None,
        *,
        acks: bool,
        patient: bool,
    ) -> None:
        self.stream = stream
        self.max_ = max_
        self.within_s = within_s
        self.within_from = within_from
        self._pick = pick
        self._acks = acks
        self._patient = patient
        self.failure: Exception | None = None
        """What is raised after the batch that is out."""

    async def run(self) -> AsyncGenerator[Any, None]:
        stream, timer = self.stream, Timer()
        basket = Basket(self.max_, first_s=self.within_s if self.within_from == "first" else 0.0)
        subscribed = stream._drive is not None  # then items, acks and current event are the runner's
        reader = stream._read(timer=timer, basket=basket)
        number = 0
        stream._takes += not subscribed
        try:
            reason: Reason = "time"
            while reason != "end":
                reason = await self._collect(reader, timer, basket)
                if not basket.gathered:
                    break
                taken = basket.hand_over()
                current_cell.set(taken.last_cell)
                if not subscribed:
                    stream._cell = taken.last_cell
                handed = self._hand_out(taken, number, reason)
                number += 1
                try:
                    yield handed
                except BaseException:  # closed or thrown into: the body is done with the batch all the same
                    if self._acks and not subscribed:
                        taken.leave(stream._source, ack_on_error=stream.app.conf.ack_on_error)
                    raise
                finally:
                    if not subscribed:
                        stream._cell = None
                if self._acks:
                    taken.settle()
            self._raise_failure()
        finally:
            if not subscribed:
                basket.give_back(stream._source)
                stream._takes -= 1
            current_cell.set(None)
            await reader.aclose()

    async def _collect(self, reader: AsyncGenerator[Any, None], timer: Timer, basket: Basket) -> Reason:
        """Fill the basket; returns why it is a batch. An error comes out when what was before it is handed out."""
        self._restart(timer)
        try:
            async for sign in reader:
                if sign is not LATE:
                    return "full"
                basket.let_go()  # while a processor works, the loop does not look
                if basket.gathered or not self._patient:
                    return "time"
                self._restart(timer)
        except Exception as error:
            if not basket.gathered:
                raise
            self.failure = error
        return "end"

    def _raise_failure(self) -> None:
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure

    def _restart(self, timer: Timer) -> None:
        from_request = self.within_s and self.within_from == "request"
        timer.deadline = perf_counter() + self.within_s if from_request else None

    def _hand_out(self, basket: Basket, number: int, reason: Reason) -> Any:
        if self._pick is None:
            return Batch(basket.gathered, basket, number=number, reason=reason, memory=self.stream.frame_memory)
        return self._pick(basket)


async def frame(stream: Stream[Any], n: int, within: float | timedelta | str | None) -> pd.DataFrame:
    """Return the values that come within the time, at most ``n``, as one DataFrame. See ``Stream.to_frame``."""
    batches: Take[Any] = Take(stream, n, within, patient=False)
    try:
        async for batch in batches:
            taken: pd.DataFrame = batch.to_frame()
            if batches._taking.failure is not None:
                warnings.warn(
                    f"the frame ends before an error: {clean(said(batches._taking.failure))}", UserWarning, stacklevel=3
                )
            return taken
    finally:
        await batches.aclose()
    return Batch([], memory=stream.frame_memory).to_frame()
