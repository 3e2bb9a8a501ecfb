"""Values to columns: lists of Python objects by name. No pandas yet."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import chain
from operator import attrgetter, itemgetter
from types import NoneType
from typing import Any, NamedTuple, Self

from streamlab.joined import Joined
from streamlab.texts import text_of

__all__ = ["MAX_COLUMNS", "SCALAR", "Column", "Columns", "fields_of", "gather", "name_of"]

Row = Mapping[Any, Any]
Part = tuple[Any, list[Any]]


class Column(NamedTuple):
    """Values, None where there is none, and the set of their classes."""

    data: Sequence[Any]
    classes: Collection[type]

    @classmethod
    def of(cls, data: Sequence[Any]) -> Self:
        """Look which classes there are."""
        return cls(data, set(map(type, data)))


Columns = dict[str, Column]

SCALAR = "value"
"""Column of the values that have no fields."""
MAX_COLUMNS = 2_000
"""Objects with more different fields than this stay objects: their keys are rather data."""
_NO_FIELD = object()


def gather(values: Sequence[Any], *, depth: int = 3, reserved: Collection[str] = ()) -> Columns:
    """Turn values into columns, None where a value has no such field.

    Dicts, Records, dataclasses, named tuples and pydantic models become columns, and so do those inside of them,
    with dotted names, down to ``depth`` levels. Whatever else goes into a column ``value``, which is also where
    objects with more than 2,000 different fields stay. A None becomes a row of None.

    Parameters
    ----------
    reserved : collection of str
        Names that are taken: a field ``key`` is then called ``value.key``.

    Returns
    -------
    dict of str to Column
        In order of appearance, each as long as ``values``.
    """
    parts = _split(Column.of(values))
    if depth < 1 or len(parts) > MAX_COLUMNS:
        return {SCALAR: Column.of(list(values))}
    if values and isinstance(values[0], Joined):  # a side that no row has, has no columns
        parts = [part for part in parts if any(value is not None for value in part[1])]
    columns: Columns = {}
    for field, data in parts:
        name = SCALAR if field is _NO_FIELD else name_of(field)
        _place(columns, f"{SCALAR}.{name}" if name in reserved else name, data, depth - 1)
    return columns


def _place(columns: Columns, name: str, data: list[Any], depth: int) -> None:
    """Put a column in, or the columns that its objects consist of."""
    column = Column.of(data)
    parts = _split(column) if depth > 0 and any(map(_has_fields, column.classes)) else []
    if not parts or len(columns) + len(parts) > MAX_COLUMNS:
        columns[_unused(name, columns)] = column
        return
    for field, inner in parts:
        if field is _NO_FIELD:
            columns[_unused(name, columns)] = Column.of(inner)
        else:
            _place(columns, f"{name}.{name_of(field)}", inner, depth - 1)


def _split(column: Column) -> list[Part]:
    """Return the fields of all values as columns; what has no fields as a column for ``_NO_FIELD``."""
    values, kinds = column
    alike = _alike(values, *kinds) if len(kinds) == 1 else None
    if alike is not None:
        return alike
    readers = {kind: _reader(kind) for kind in kinds}
    rows = [None if (read := readers[type(value)]) is None else read(value) for value in values]
    fields = dict.fromkeys(chain.from_iterable(row for row in rows if row))
    if len(fields) > MAX_COLUMNS:
        return [(_NO_FIELD, list(values))]
    parts: list[Part] = [(field, [row.get(field) if row else None for row in rows]) for field in fields]
    if any(read is None and kind is not NoneType for kind, read in readers.items()):
        parts.append((_NO_FIELD, [value if row is None else None for row, value in zip(rows, values, strict=True)]))
    return parts


def _alike(values: Sequence[Any], kind: type) -> list[Part] | None:
    """Return the columns of values that all have the same fields, the quick way; None if they have not."""
    if kind is dict:
        fields: Iterable[Any] = values[0]
        if set(map(len, values)) != {len(values[0])}:
            return None
        pick: Callable[[Any], Callable[[Any], Any]] = itemgetter
    else:
        fields, pick = _attributes(kind), attrgetter
    try:
        return [(field, list(map(pick(field), values))) for field in fields] or None
    except (KeyError, AttributeError):
        return None


@lru_cache(maxsize=512)
def _attributes(kind: type) -> tuple[str, ...]:
    """Names of the fields that instances of a class have as attributes."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    return tuple(getattr(kind, "__struct_fields__", None) or (issubclass(kind, tuple) and getattr(kind, "_fields", None)) or ())


@lru_cache(maxsize=512)
def _reader(kind: Any) -> Callable[[Any], Row] | None:
    """Return what makes a mapping of an instance; None for classes without fields."""
    if issubclass(kind, dict):
        return _itself
    if issubclass(kind, Mapping):
        return dict
    if hasattr(kind, "model_fields") and hasattr(kind, "model_dump"):
        return _pydantic_row
    names = _attributes(kind)
    return partial(_attribute_row, names) if names else None


def fields_of(value: Any) -> Row | None:
    """Return a value's fields as a mapping; None for what has none."""
    kind: Any = type(value)
    read = _reader(kind)
    return None if read is None else read(value)


def _has_fields(kind: type) -> bool:
    return _reader(kind) is not None


def _itself(row: Row) -> Row:
    return row


def _attribute_row(names: tuple[str, ...], value: Any) -> Row:
    return {name: getattr(value, name, None) for name in names}


def _pydantic_row(value: Any) -> Row:
    return {**value.__dict__, **(value.model_extra or {})}


def name_of(field: Any) -> str:
    """Return a column's name: any text that UTF-8 can hold."""
    name = field if type(field) is str else text_of(field)
    return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode()


def _unused(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_2"
    return name
