"""A batch of a stream's values: what ``take`` hands out, and what else can be made of what was gathered."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, Literal, SupportsIndex, TypeVar, overload

from streamlab.baskets import Basket
from streamlab.texts import clean, text_of

if TYPE_CHECKING:
    import pandas as pd

    from streamlab.events import Event
    from streamlab.frames import FrameSchema

__all__ = ["Batch", "FrameMemory", "Pick", "Reason", "events_of", "stamped"]

T = TypeVar("T")
Reason = Literal["full", "time", "end"]
Pick = Callable[[Basket], list[Any]]


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
        basket: Basket | None = None,
        *,
        number: int = 0,
        reason: Reason = "full",
        memory: FrameMemory | None = None,
    ) -> None:
        super().__init__(values)
        self.basket = Basket.of_values(self) if basket is None else basket
        """What the values were made from."""
        self.number = number
        self.reason: Reason = reason
        self.memory = FrameMemory() if memory is None else memory

    @property
    def events(self) -> list[Event | None]:
        """The events of the values."""
        return self.basket.events

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
            basket = Basket.of_cells(values, self.basket.cells[index])
            return Batch(values, basket, number=self.number, reason=self.reason, memory=self.memory)
        return super().__getitem__(index)

    def __repr__(self) -> str:
        """As that of a list, in one line whatever is in it."""
        return clean(text_of(list(self), repr), sys.maxsize)

    def _repr_html_(self) -> str:
        from streamlab.frames import batch_html

        return batch_html(self)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - IPython's protocol
        from streamlab.frames import batch_text

        printer.text(batch_text(self))


def events_of(basket: Basket) -> list[Any]:
    """Pick the events; values without one are passed over."""
    return [event for event in basket.events if event is not None]


def stamped(field: str) -> Pick:
    """Pick the values, with the message's timestamp in this field of those that can have it."""

    def pick(basket: Basket) -> list[Any]:
        for value, event in zip(basket.gathered, basket.events, strict=True):
            if event is None:
                continue
            if isinstance(value, dict):
                value[field] = event.message.timestamp
            elif field in _fields_of(value):
                setattr(value, field, event.message.timestamp)
        return basket.gathered

    return pick


def _fields_of(value: Any) -> Iterable[str]:
    for names in ("__struct_fields__", "__dataclass_fields__"):
        if hasattr(value, names):
            fields: Iterable[str] = getattr(value, names)
            return fields
    declared: Iterable[str] = getattr(type(value), "model_fields", ())
    return declared
