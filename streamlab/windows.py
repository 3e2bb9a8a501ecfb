"""The windows that a stream of windows gives."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from streamlab.models import Record, RecordMeta

__all__ = ["OWN_FIELDS", "AnyWindow", "Window", "window_class"]


class AnyWindow(Record, abstract=True):
    """What all windows have.

    Attributes
    ----------
    key : Any
        What its records have in common; None for those without a key.
    start, end : float
        Seconds since 1970, UTC. The start is in the window, the end is not.
    count : int
        Records in it.
    """

    key: Any
    start: float
    end: float
    count: int


class Window(AnyWindow):
    """One window of one key, with one aggregate.

    Attributes
    ----------
    value : Any
        The aggregate: of ``count()`` the count, of ``sum(field)`` the sum, and so on. ``agg(total=...)`` makes windows that
        have fields of those names instead.

    Examples
    --------
    >>> Window(key="DE", start=0.0, end=60.0, count=2, value=7.5)
    Window(key='DE', start=0.0, end=60.0, count=2, value=7.5)
    """

    value: Any


OWN_FIELDS = (*AnyWindow.__struct_fields__, *vars(Record))


@lru_cache(maxsize=256)
def window_class(names: tuple[str, ...]) -> type[AnyWindow]:
    """Return the class of windows with these aggregates."""
    fields = dict.fromkeys(names, Any)
    made: Any = RecordMeta(
        "Window", (AnyWindow,), {"__annotations__": fields, "__module__": __name__, "__doc__": AnyWindow.__doc__}
    )
    kind: type[AnyWindow] = made
    return kind
