"""One large DataFrame, built batch by batch without holding a Python object for every value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from streamlab.dtypes import EXACT, Kind
from streamlab.frames import FrameSchema, frame_of
from streamlab.origins import Origins

if TYPE_CHECKING:
    from streamlab.broker.base import BrokerRecord
    from streamlab.opened import OpenedBatch

__all__ = ["FrameBuilder"]

CHUNK_ROWS = 50_000
CHUNK_BYTES = 32 << 20
OBJECT_FACTOR = 10
"""Bytes that Python objects take for each byte of JSON that they were: seldom more."""

_DTYPES: dict[Kind, Any] = {
    "boolean": "boolean",
    "Int64": "Int64",
    "UInt64": "UInt64",
    "Float64": "Float64",
    "str": "str",
    "datetime": "datetime64[us]",
    "datetime_utc": "datetime64[us, UTC]",
}


class FrameBuilder:
    """Collects decoded records; every 50,000 rows they are turned into arrays.

    Parameters
    ----------
    several_topics : bool
        The topic is a column.
    headers : bool
        The headers are a column.
    depth : int
        How many levels of objects become columns.
    """

    def __init__(self, *, several_topics: bool = False, headers: bool = False, depth: int = 3) -> None:
        self.rows = 0
        self._memory = FrameSchema()
        self._memory.has_origins = True
        self._memory.always_topic = several_topics
        self._depth = depth
        self._headers = headers
        self._frames: list[pd.DataFrame] = []
        self._frames_bytes = 0
        self._start_chunk()

    def _start_chunk(self) -> None:
        self._values: list[Any] = []
        self._values_bytes = 0
        self._origins = Origins(headers=[] if self._headers else None)

    def add(self, opened: OpenedBatch, records: Sequence[BrokerRecord], values: Iterable[Any], size_bytes: int) -> None:
        """Add the records of one batch that were decoded, with their values; ``size_bytes`` is what they were undecoded."""
        self._origins.add_records(opened, records)
        self._values += values
        self._values_bytes += size_bytes
        self.rows += len(records)
        if len(self._values) >= CHUNK_ROWS or self._values_bytes >= CHUNK_BYTES:
            self._seal()

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, estimated."""
        return self._frames_bytes + OBJECT_FACTOR * self._values_bytes

    def _seal(self) -> None:
        frame = frame_of(self._values, self._origins, self._memory, self._depth)
        self._frames.append(frame)
        self._frames_bytes += int(frame.memory_usage().sum())
        if any(str(dtype) == "object" for dtype in frame.dtypes):
            self._frames_bytes += OBJECT_FACTOR * self._values_bytes
        self._start_chunk()

    def frame(self) -> pd.DataFrame:
        """Return all of it, and forget it."""
        if self._values or not self._frames:
            self._seal()
        frames, self._frames = self._frames, []
        if len(frames) == 1:
            return frames[0]
        index = frames[0].index.append([frame.index for frame in frames[1:]])
        names = dict.fromkeys(name for frame in frames for name in frame.columns)
        whole = pd.DataFrame({name: self._column(name, frames) for name in names}, copy=False)
        whole.index = index
        return whole

    def _column(self, name: str, frames: list[pd.DataFrame]) -> pd.Series[Any]:
        """Take a column out of the chunks; where a chunk has none, or a narrower one, it follows the others."""
        parts = [frame.pop(name) if name in frame.columns else _missing(len(frame)) for frame in frames]
        kind = self._memory.kinds.get(name, "object")
        if name == "timestamp" and len({part.dtype for part in parts}) == 1:
            return pd.concat(parts, ignore_index=True)
        return pd.concat([_widened(part, _final(kind, parts)) for part in parts], ignore_index=True)


def _missing(rows: int) -> pd.Series[Any]:
    return pd.Series([None] * rows, dtype=object)


def _final(kind: Kind, parts: Sequence[pd.Series[Any]]) -> Kind:
    """Return the kind of the whole: integers in earlier chunks may be too large for the floats that came later."""
    if kind == "Float64" and any(str(part.dtype) == "Int64" and (part.abs() > EXACT).any() for part in parts):
        return "object"
    return kind


def _widened(part: pd.Series[Any], kind: Kind) -> pd.Series[Any]:
    dtype = _DTYPES.get(kind)
    if dtype is not None:
        widened: pd.Series[Any] = part.astype(dtype)
        return widened
    return part if str(part.dtype) == "object" else part.astype(object).where(part.notna(), None)
