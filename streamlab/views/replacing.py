"""Live views by the cell that showed them: what a cell shows when it runs again takes the place of what it showed before.

A view that is taken away says bye, but one that was never drawn says nothing: a cell that runs again quickly is such a case.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from streamlab.views.hearing import Hearing
    from streamlab.views.presence import Presence

__all__ = ["note", "running_cell"]


class Shown(Protocol):
    """What a cell shows, and knows who looks at it: an explorer, or a table's view."""

    hearing: Hearing
    presence: Presence


@dataclass
class _Run:
    """What one run of a cell showed."""

    request: str
    shown: list[weakref.ref[Shown]] = field(default_factory=list)


_runs: dict[str, _Run] = {}


def running_cell() -> tuple[str, str] | None:
    """Return the id of the cell that runs and that of the request that runs it; None where cells have no ids."""
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    request = getattr(shell, "parent_header", None) or {}
    cell, message = request.get("metadata", {}).get("cellId"), request.get("header", {}).get("msg_id")
    return (cell, message) if isinstance(cell, str) and isinstance(message, str) else None


def note(shown: Shown, cell: tuple[str, str] | None) -> None:
    """Note that a cell shows something; those of earlier runs are taken away."""
    if cell is None:
        return
    place, request = cell
    before = _runs.get(place)
    if before is None or before.request != request:
        for reference in [] if before is None else before.shown:
            old = reference()
            if old is not None:
                old.presence.taken_away(old.hearing.now_s)
        before = _runs[place] = _Run(request)
    before.shown.append(weakref.ref(shown))
