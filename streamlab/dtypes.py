"""Columns of Python objects to arrays of pandas' nullable dtypes, which keep to their kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache, partial, reduce
from itertools import accumulate, chain
from types import NoneType
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from streamlab.columns import Column

__all__ = ["Kind", "as_array", "as_arrays"]

Kind = Literal["empty", "boolean", "Int64", "UInt64", "Float64", "str", "datetime", "datetime_utc", "object"]
Array = Any

FEW_TEXTS = 20_000
"""So many texts are made into one array that the columns share: what an array costs by itself is more than its texts cost."""
EXACT = 2**53
"""Integers up to here are exact as floats."""
_STR = pd.StringDtype(na_value=np.nan)
_WIDER: dict[frozenset[Kind], Kind] = {
    frozenset(("Int64", "Float64")): "Float64",
    frozenset(("Int64", "UInt64")): "UInt64",
}


def as_array(column: Column, known: Kind = "empty") -> tuple[Kind, Array]:
    """Return a column's kind and its array.

    Parameters
    ----------
    column : Column
        None is a missing value, and so is NaN among numbers.
    known : str
        The kind that the column had until now: it stays, or widens from integers to floats, or to objects, which is also
        what integers beyond 64 bits become, texts that UTF-8 cannot hold, and whatever is mixed.
    """
    return _built(column, known, _kind(column, known))


def as_arrays(columns: Mapping[str, Column], known: Mapping[str, Kind]) -> dict[str, tuple[Kind, Array]]:
    """Return what ``as_array`` does of each column; the short ones of texts share their memory."""
    kinds = {name: _kind(column, known.get(name, "empty")) for name, column in columns.items()}
    shared = _shared_texts({name: columns[name].data for name, kind in kinds.items() if kind == "str"})
    return {
        name: ("str", shared[name]) if name in shared else _built(column, known.get(name, "empty"), kinds[name])
        for name, column in columns.items()
    }


def _shared_texts(texts: Mapping[str, Sequence[Any]]) -> dict[str, Array]:
    """Return columns of texts made together; none where they are many, or where one is not what UTF-8 can hold."""
    if not texts or sum(map(len, texts.values())) > FEW_TEXTS:
        return {}
    try:
        together = pa.array(list(chain.from_iterable(texts.values())), type=pa.large_string())
    except (ValueError, TypeError):
        return {}
    ends = list(accumulate(map(len, texts.values())))
    slices = [together[end - len(data) : end] for data, end in zip(texts.values(), ends, strict=True)]
    table = pa.Table.from_arrays(slices, names=list(texts))
    return {name: _text_array(table.column(place)) for place, name in enumerate(texts)}


def _kind(column: Column, known: Kind) -> Kind:
    data, kinds = column
    kind = _joined(known, _kind_of(data, kinds))
    return "object" if kind == "Float64" and int in kinds and not _exact_as_floats(data) else kind


def _built(column: Column, known: Kind, kind: Kind) -> tuple[Kind, Array]:
    data, kinds = column
    for attempt in (kind, "UInt64") if kind == "Int64" and known == "empty" else (kind,):
        try:
            return attempt, _BUILDERS[attempt](data, NoneType in kinds)
        except (OverflowError, ValueError, TypeError):  # UnicodeError and ArrowInvalid are ValueErrors
            continue
    return "object", _objects(data)


def _kind_of(data: Sequence[Any], kinds: Collection[type]) -> Kind:
    kind: Kind = reduce(_joined, map(_class_kind, kinds), "empty")
    if kind != "datetime":
        return kind
    naive = {value.tzinfo is None for value in data if value is not None}
    if len(naive) > 1:
        return "object"
    return "datetime" if True in naive else "datetime_utc"


@lru_cache(maxsize=512)
def _class_kind(kind: type) -> Kind:
    if kind is NoneType:
        return "empty"
    if issubclass(kind, bool | np.bool_):
        return "boolean"
    if kind is int or issubclass(kind, np.integer):
        return "Int64"
    if kind is float or issubclass(kind, np.floating):
        return "Float64"
    if kind is str or kind is np.str_:
        return "str"
    return "datetime" if issubclass(kind, dt.datetime) else "object"


def _joined(first: Kind, second: Kind) -> Kind:
    """Return the kind that holds both."""
    if second in (first, "empty"):
        return first
    if first == "empty":
        return second
    return _WIDER.get(frozenset((first, second)), "object")


def _exact_as_floats(data: Sequence[Any]) -> bool:
    return all(-EXACT <= value <= EXACT for value in data if type(value) is int)


def _masked(array_of: Callable[..., Array], dtype: str, data: Sequence[Any], missing: bool) -> Array:  # noqa: FBT001
    if not missing:
        return array_of(np.array(data, dtype=dtype), np.zeros(len(data), dtype=bool))
    mask = np.fromiter((value is None for value in data), dtype=bool, count=len(data))
    return array_of(np.array([0 if value is None else value for value in data], dtype=dtype), mask)


def _floats(data: Sequence[Any], _missing: bool) -> Array:  # noqa: FBT001
    values = np.array(data, dtype="float64")
    return pd.arrays.FloatingArray(values, np.isnan(values))


def _texts(data: Sequence[Any], _missing: bool) -> Array:  # noqa: FBT001
    return _text_array(pa.array(data, type=pa.large_string()))


def _text_array(array: Array) -> Array:
    return pd.arrays.ArrowStringArray(array, dtype=_STR)  # type: ignore[call-arg] # the stubs are behind


def _datetimes(zone: str | None, data: Sequence[Any], _missing: bool) -> Array:  # noqa: FBT001
    return pa.array(data, type=pa.timestamp("us", tz=zone)).to_pandas().array


def _objects(data: Sequence[Any], _missing: bool = False) -> Array:  # noqa: FBT001, FBT002
    # A Series, because pandas would look into a bare array and make texts of it.
    return pd.Series(np.fromiter(data, dtype=object, count=len(data)), dtype=object, copy=False)


_BUILDERS: dict[Kind, Callable[[Sequence[Any], bool], Array]] = {
    "empty": _objects,
    "boolean": partial(_masked, pd.arrays.BooleanArray, "bool"),
    "Int64": partial(_masked, pd.arrays.IntegerArray, "int64"),
    "UInt64": partial(_masked, pd.arrays.IntegerArray, "uint64"),
    "Float64": _floats,
    "str": _texts,
    "datetime": partial(_datetimes, None),
    "datetime_utc": partial(_datetimes, "UTC"),
    "object": _objects,
}
