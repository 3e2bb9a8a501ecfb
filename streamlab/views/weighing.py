"""How much memory messages take, about."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamlab.views.chunks import Chunk

__all__ = ["size_of"]

ROW_BYTES = 350
"""What a message takes besides its bytes: the tuple that is kept of it, its numbers, its place in the lists."""
WIDE = 100


def size_of(chunk: Chunk) -> int:
    """Estimate what a basket takes: its bytes, and what the values cost that were made of them, judged by a few."""
    count, raw = len(chunk), chunk.raw_bytes()
    sample = chunk.values[:: max(count // 3, 1)]
    return count * ROW_BYTES + raw + sum(map(_judged, sample)) * count // len(sample)


def _judged(value: Any) -> int:
    try:
        return _weight(value)
    except Exception:  # noqa: BLE001 - an object of a user may raise anything
        return 0


def _weight(value: Any, left: int = 200) -> int:
    """Return about how many bytes a value takes, looking at so many parts of it; the rest is taken to be like them."""
    todo, wide, size, looked = [value], 0, 0, 0
    while todo and looked < left:
        part = todo.pop()
        inner = _parts(part)
        if len(inner) > left:  # there is but one of it, and many of its parts
            wide += sys.getsizeof(part, 64)
        else:
            size += sys.getsizeof(part, 64)
        looked += 1
        todo += inner
    return wide + size + size // looked * len(todo)


def _parts(value: Any) -> Sequence[Any]:
    """Return what else there is to be weighed of a value."""
    if isinstance(value, dict):  # names of few fields are shared by all values, those of many are not
        return [*value, *value.values()] if len(value) > WIDE else list(value.values())
    if isinstance(value, list | tuple):
        return value
    names: Any = getattr(type(value), "__struct_fields__", None) or getattr(value, "__dict__", ())
    return [getattr(value, name, None) for name in names]
