"""What becomes of an item: acked, given back, kept as an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamlab.errors import DecodeError, KeyDecodeError, Skip
from streamlab.events import event_of, made_event
from streamlab.failures import NOTHING, StreamError
from streamlab.tracebacks import forget_frames

if TYPE_CHECKING:
    from streamlab.arrivals import Arrival
    from streamlab.events import Cell, Message
    from streamlab.opened import OpenedBatch
    from streamlab.processors import Processor
    from streamlab.streams import Stream

__all__ = ["DROPPED", "ack_cell", "cell_item", "decode_again", "failure", "fell_out", "left", "not_taken"]


class Marker:
    """A value that is none of the stream's."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


DROPPED = Marker("DROPPED")
"""Instead of a value that nobody gets; ``on_merge`` returns it for one that is eaten."""


def ack_cell(cell: Cell) -> None:
    """Ack what a cell was made from, without making an event for it."""
    if cell[0] is not None:
        cell[0].ack()
        return
    event = made_event(cell)
    if event is not None:
        event.ack()
    elif cell[3] is not None and cell[3].store is not None:
        cell[3].store.ack(cell[1].offset)


def cell_item(cell: Cell) -> tuple[Any, OpenedBatch | None]:
    """Return what ``Source.give_back`` takes."""
    if cell[3] is not None:
        return cell[1], cell[3]
    return (cell[2] if cell[0] is None else cell[0]), None


def left(stream: Stream[Any], cells: list[Cell]) -> None:
    """Settle the values that a body had when its loop was left: acked, as in Faust, or handed out again."""
    for cell in cells if stream.app.conf.ack_on_error else reversed(cells):
        if stream.app.conf.ack_on_error:
            ack_cell(cell)
        elif (event := made_event(cell)) is None or not event.message.acked:
            stream._source.give_back(*cell_item(cell))


def decode_again(stream: Stream[Any], record: Any, opened: OpenedBatch, error: Exception, *, keep_going: bool) -> Any:
    """Return the value of a record that the quick decoder failed on, or what the stream's policy makes of it."""
    try:
        if isinstance(error, KeyDecodeError):
            raise error
        value = opened.recover(record, error)
        if opened.check_key:
            opened.key(record)
    except DecodeError as bad:
        stream.errors.add(_failed_record(record, opened, bad, None))
        if callable(stream.on_error):
            try:
                value = stream.on_error(bad)
            except Exception as failed:
                if not keep_going:
                    raise
                if failed is not bad:
                    stream.errors.add(_failed_record(record, opened, failed, None))
                return DROPPED
            opened.raw_keys.add(record.offset)
            return DROPPED if value is None else value
        if keep_going or stream.on_error == "skip":
            forget_frames(bad)
            return DROPPED
        raise
    return value


def fell_out(stream: Stream[Any], cell: Cell, processor: Processor | None, error: BaseException, seconds: float) -> None:
    """Count an item that a processor dropped or failed on; a failure is kept."""
    skipped = isinstance(error, Skip)
    cell[4].fell_out(processor)
    if processor is not None:
        processor.seconds += seconds
        processor.skipped += skipped
        processor.errors += not skipped
    if not skipped:
        stream.errors.add(failure(cell, None if processor is None else processor.name, error))


def failure(cell: Cell, processor: str | None, error: BaseException) -> StreamError:
    """Describe what failed on a cell's item."""
    if cell[3] is not None:
        return _failed_record(cell[1], cell[3], error, processor)
    event = event_of(cell)
    if event is None:
        value, item = (cell[2], cell[2]) if cell[0] is None else (cell[0].value, cell[0])
        return StreamError(None, None, None, None, None, value, error, processor, item=item)
    return _failed_message(event.message, error, processor, cell[0])


def not_taken(arrival: Arrival, by: str, error: Exception) -> StreamError:
    """Describe what a join or a window could not take. It is no item of the stream that these make: it cannot be tried again there."""
    event = arrival.as_event()
    forget_frames(error)
    if event is None:
        return StreamError(None, None, None, arrival.timestamp, None, arrival.value, error, by)
    return _failed_message(event.message, error, by, NOTHING)


def _failed_message(message: Message, error: BaseException, processor: str | None, item: Any) -> StreamError:
    place = (message.topic, message.partition, message.offset, message.timestamp, message.key, message.value)
    return StreamError(*place, error, processor, message.headers, message.timestamp_type, item)


def _failed_record(record: Any, opened: OpenedBatch, error: BaseException, processor: str | None) -> StreamError:
    tp = opened.batch.tp
    place = (tp.topic, tp.partition, record.offset, record.timestamp / 1000, record.key, record.value)
    return StreamError(*place, error, processor, record.headers, record.timestamp_type)
