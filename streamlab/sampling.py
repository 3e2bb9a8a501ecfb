"""One look at one call of a processor: the value before it, and what became of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamlab.processors import Processor

__all__ = ["Sample", "look_at_next"]

_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Sample:
    """How one call of a processor ended.

    Attributes
    ----------
    after : Any
        What came out; None with an error.
    error : BaseException or None
        What it raised; Skip when it dropped the value.
    seconds : float
        How long it took, waiting included.
    """

    after: Any
    error: BaseException | None
    seconds: float


def look_at_next(processor: Processor, on_before: Callable[[Any], object], on_after: Callable[[Sample], object]) -> None:
    """Put something in the place of the processor's function for one call, that then takes itself away."""

    def sampled(value: Any) -> Any:
        with _lock:  # loops on two threads may come at once: one of them is looked at
            mine = processor.call is sampled
            if mine:
                processor.call = processor.function
        if not mine:
            return processor.function(value)
        with contextlib.suppress(Exception):  # looking changes nothing, also when it fails
            on_before(value)
        began = perf_counter()
        try:
            result = processor.function(value)
        except BaseException as error:
            _tell(on_after, Sample(None, error, perf_counter() - began))
            raise
        if hasattr(result, "__await__"):
            return _awaited(result, on_after, began)
        _tell(on_after, Sample(result, None, perf_counter() - began))
        return result

    with _lock:
        processor.call = sampled


async def _awaited(result: Any, on_after: Callable[[Sample], object], began: float) -> Any:
    try:
        after = await result
    except BaseException as error:
        _tell(on_after, Sample(None, error, perf_counter() - began))
        raise
    _tell(on_after, Sample(after, None, perf_counter() - began))
    return after


def _tell(on_after: Callable[[Sample], object], sample: Sample) -> None:
    with contextlib.suppress(Exception):
        on_after(sample)
