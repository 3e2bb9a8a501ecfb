"""Values and events to DataFrames: the only module that builds them."""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from streamlab.columns import MAX_COLUMNS, Column, Columns, gather
from streamlab.dtypes import Kind, as_array, as_arrays
from streamlab.markup import Html, dim, table, utc
from streamlab.origins import NO_TIMESTAMP_MS, Origins
from streamlab.texts import clean
from streamlab.windows import AnyWindow

if TYPE_CHECKING:
    from streamlab.batch import Batch
    from streamlab.events import Event

__all__ = ["FrameSchema", "batch_frame", "batch_html", "batch_text", "frame_of", "mapping_frame", "records_frame", "to_frame"]

RESERVED = frozenset(("partition", "offset", "timestamp", "key", "topic", "headers"))
"""Names of the index and of the columns that say where a value came from."""
NOWHERE = -1
SHOWN_ROWS = 20
SHOWN_COLUMNS = 20
LARGEST_SHOWN = 10**40
_ENDED = {"time": " · the time was up", "end": " · the end"}
_NAT = np.iinfo("int64").min
_shorten = reprlib.Repr()
_shorten.maxdict = _shorten.maxlist = _shorten.maxtuple = _shorten.maxset = 8
_shorten.maxstring = _shorten.maxother = _shorten.maxlong = 80


class FrameSchema:
    """What the columns of one stream's frames are, so that they stay it from frame to frame.

    A column keeps its dtype, or widens: integers to floats, anything to objects. The topic is a column from the moment
    that there are several. Columns that a frame's values do not have are not in it.

    Attributes
    ----------
    kinds : dict of str to str
        By column.
    topics : set of str
        Those seen.
    has_origins : bool
        Whether values came from somewhere.
    always_topic : bool
        The topic is a column even if there is only one.
    """

    def __init__(self) -> None:
        self.kinds: dict[str, Kind] = {}
        self.topics: set[str] = set()
        self.has_origins = False
        self.always_topic = False

    def typed(self, columns: Columns) -> dict[str, Any]:
        """Return the columns' arrays, of the dtypes that they have, and remember these."""
        typed = as_arrays(columns, self.kinds)
        for name, (kind, _) in typed.items():
            if kind != "empty" and (name in self.kinds or len(self.kinds) < 5 * MAX_COLUMNS):
                self.kinds[name] = kind
        return {name: array for name, (_, array) in typed.items()}

    def note(self, origins: Origins) -> None:
        """Remember where values come from."""
        topics = {run.topic for run in origins.runs if run.topic is not None}
        self.has_origins = self.has_origins or bool(topics)
        self.topics |= topics


def to_frame(
    values: Sequence[Any],
    events: Iterable[Event | None] | None = None,
    *,
    memory: FrameSchema | None = None,
    headers: bool = False,
    depth: int = 3,
) -> pd.DataFrame:
    """Return a row a value.

    Parameters
    ----------
    values : sequence
        Dicts, Records, dataclasses, named tuples and pydantic models become columns, and objects within them columns
        with dotted names; lists stay objects; anything else goes into a column ``value``; None is a row of missing values.
    events : iterable of Event or None, optional
        Parallel to the values.
    memory : FrameSchema, optional
        Keeps dtypes from frame to frame.
    headers : bool
        Add a column of the headers, each a list of pairs.
    depth : int
        How many levels of objects become columns.

    Returns
    -------
    DataFrame
        Index partition and offset, columns timestamp (datetime64[ms, UTC]), key, topic if there are several, headers if
        asked for, then the fields; Int64, Float64, boolean and str, so that missing values change no dtype. Values from no
        topic are numbered, and have no such columns. Windows are numbered too: they have key, start and end (datetime64[ms, UTC]),
        count, and their aggregates.
    """
    origins = None if events is None else Origins.of_events(events, headers=headers)
    return frame_of(values, origins, FrameSchema() if memory is None else memory, depth)


def batch_frame(batch: Batch[Any], *, headers: bool = False, depth: int = 3) -> pd.DataFrame:
    """Return ``to_frame`` of a batch, without making events."""
    if batch.memory.schema is None:
        batch.memory.schema = FrameSchema()
    return frame_of(batch, Origins.of_basket(batch.basket, headers=headers), batch.memory.schema, depth)


def records_frame(rows: Sequence[Mapping[str, Any]], *, columns: Sequence[str]) -> pd.DataFrame:
    """Return a table of just these columns; ``timestamp`` is float seconds, and becomes a time."""
    data = {name: [row.get(name) for row in rows] for name in columns}
    arrays = {
        name: _times([None if seconds is None else round(seconds * 1000) for seconds in column])
        if name == "timestamp"
        else as_array(Column.of(column))[1]
        for name, column in data.items()
    }
    return pd.DataFrame(arrays, columns=list(columns), copy=False)


def frame_of(values: Sequence[Any], origins: Origins | None, memory: FrameSchema, depth: int) -> pd.DataFrame:
    """Return the values as columns, behind the columns of where they came from, which windows have not."""
    if values and all(isinstance(value, AnyWindow) for value in values):
        return _windows_frame(values, memory, depth)
    if origins is not None:
        memory.note(origins)
    if origins is None or not memory.has_origins:
        arrays = memory.typed(_fields(values, memory, depth, ()))
        return pd.DataFrame(arrays, copy=False) if arrays else pd.DataFrame(index=range(len(values)))
    fields = _fields(values, memory, depth, RESERVED)
    typed = memory.typed({"key": Column.of(origins.keys), **fields})
    frame = pd.DataFrame({**_origin_arrays(origins, memory, typed), **typed}, copy=False)
    frame.index = _index(origins)
    return frame


def mapping_frame(entries: Mapping[Any, Any], *, depth: int = 3) -> pd.DataFrame:
    """Return a row an entry: its key is the index, the fields of its value are the columns."""
    frame = frame_of(list(entries.values()), None, FrameSchema(), depth)
    keys = as_array(Column.of(list(entries)))[1]
    frame.index = pd.Index(keys, name="key", tupleize_cols=False)
    return frame


def _windows_frame(windows: Sequence[AnyWindow], memory: FrameSchema, depth: int) -> pd.DataFrame:
    """Return windows as key, start and end (UTC), count, and their aggregates."""
    columns = gather(windows, depth=depth)
    edges = {name: _times([round(seconds * 1000) for seconds in columns[name].data]) for name in ("start", "end")}
    typed = memory.typed({name: column for name, column in columns.items() if name not in edges})
    return pd.DataFrame({name: edges.get(name, typed.get(name)) for name in columns}, copy=False)


def _fields(values: Sequence[Any], memory: FrameSchema, depth: int, reserved: Collection[str]) -> Columns:
    if values:
        return gather(values, depth=depth, reserved=reserved)
    return {name: Column((), ()) for name in memory.kinds if name not in reserved}


def _origin_arrays(origins: Origins, memory: FrameSchema, typed: dict[str, Any]) -> dict[str, Any]:
    arrays = {"timestamp": _times(origins.timestamps_ms), "key": typed["key"]}
    if memory.always_topic or len(memory.topics) > 1:
        arrays["topic"] = as_array(Column.of(origins.topics), "str")[1]
    if origins.headers is not None:
        arrays["headers"] = as_array(Column.of(origins.headers), "object")[1]
    return arrays


def _times(stamps_ms: Sequence[int | None]) -> pd.DatetimeIndex:
    """Return times of any year; a record without one says -1."""
    stamps = _integers(stamps_ms, NO_TIMESTAMP_MS)
    stamps[stamps == NO_TIMESTAMP_MS] = _NAT
    return pd.DatetimeIndex(stamps.view("datetime64[ms]"), tz="UTC")


def _index(origins: Origins) -> pd.Index:
    """Return partition and offset; a plain number where nothing was in a log."""
    offsets = _integers(origins.offsets, NOWHERE)
    if offsets.size and offsets.max() == NOWHERE:
        return pd.RangeIndex(offsets.size)
    partitions, runs = _level(_integers([run.partition for run in origins.runs], NOWHERE))
    rows = np.repeat(runs, [run.rows for run in origins.runs])
    numbers, places = _level(offsets)
    codes: Any = [rows, places]
    return pd.MultiIndex(levels=[partitions, numbers], codes=codes, names=["partition", "offset"], verify_integrity=False)


def _integers(numbers: Sequence[int | None], missing: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    try:
        return np.array(numbers, dtype="int64")
    except TypeError:
        return np.array([missing if number is None else number for number in numbers], dtype="int64")


def _level(numbers: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[Any, Any]:
    """Return the different numbers in order, and the place of each row's; -1 for none."""
    if numbers.size and numbers[0] >= 0 and (numbers[1:] > numbers[:-1]).all():
        return numbers, np.arange(numbers.size)
    level, codes = np.unique(numbers, return_inverse=True)
    return (level[1:], codes - 1) if level.size and level[0] == NOWHERE else (level, codes)


def batch_html(batch: Batch[Any]) -> str:
    """Return a small table of a batch's first rows and columns, everything escaped and cut."""
    try:
        return _batch_html(batch)
    except Exception as exc:  # noqa: BLE001 - objects of users may raise anything, and a repr must not
        return Html(f"{_headline(batch)} {dim(f'cannot be shown: {type(exc).__name__}')}")


def _batch_html(batch: Batch[Any]) -> str:
    shown = batch[:SHOWN_ROWS]
    origins = Origins.of_basket(shown.basket)
    columns: dict[str, Sequence[Any]] = {}
    if any(run.topic is not None for run in origins.runs):
        columns = {"partition": origins.partitions, "offset": origins.offsets}
        columns["timestamp"] = [
            None if stamp in (None, NO_TIMESTAMP_MS) else utc(stamp / 1000) for stamp in origins.timestamps_ms
        ]
        columns["key"] = origins.keys
        if len({run.topic for run in origins.runs}) > 1:
            columns["topic"] = origins.topics
    fields = gather(shown, reserved=RESERVED if columns else ())
    columns |= {name: column.data for name, column in fields.items()}
    names = list(islice(columns, SHOWN_COLUMNS))
    rows = zip(*([_cell(value) for value in columns[name]] for name in names), strict=True)
    left = [f"{len(batch) - len(shown):,} more rows"] if len(batch) > len(shown) else []
    left += [f"{len(columns) - len(names):,} more columns"] if len(columns) > len(names) else []
    more = f"<div>{dim('… and ' + ', '.join(left))}</div>" if left else ""
    return Html(f"{_headline(batch)}{table(rows, names, grouped=False) if names else ''}{more}")


def batch_text(batch: Batch[Any]) -> str:
    """Return a batch's first values, a line each: what a notebook keeps of it beside the table must be small."""
    lines = [_line(value) for value in islice(batch, SHOWN_ROWS)]
    lines += [f"... and {len(batch) - SHOWN_ROWS:,} more"] if len(batch) > SHOWN_ROWS else []
    return f"[{f',{chr(10)} '.join(lines)}]"


def _line(value: Any) -> str:
    try:
        return clean(repr(value))
    except Exception as exc:  # noqa: BLE001 - as in batch_html
        return f"<{type(value).__name__} that cannot be shown: {type(exc).__name__}>"


def _headline(batch: Batch[Any]) -> Html:
    count = "1 value" if len(batch) == 1 else f"{len(batch):,} values"
    number = f" · batch {batch.number}" if batch.number else ""
    return Html(f"<div>{dim(count + _ENDED.get(batch.reason, '') + number)}</div>")


def _cell(value: Any) -> Any:
    if value is None:
        return dim("None")
    if isinstance(value, str | bool | float) or (type(value) is int and abs(value) < LARGEST_SHOWN):
        return value
    return _shorten.repr(value)
