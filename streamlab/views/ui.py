"""The state of an explorer's interface, which views share and browsers write: checked before anything trusts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["PLAIN", "checked"]

TABS = ("messages", "batches", "graph", "errors")
MAX_TEXT = 2_000
MAX_COLUMNS = 2_000
LATEST_MS = 8.64e15
"""Times beyond are none for a browser."""
PLAIN: dict[str, Any] = {
    "tab": "messages",
    "selected": None,
    "follow": True,
    "filter": "",
    "sort": None,
    "brush": None,
    "hidden": [],
    "widths": {},
    "at": None,
}
"""How an explorer begins."""


def checked(given: object) -> dict[str, Any]:
    """Return the state with everything that makes no sense replaced by how an explorer begins."""
    state = given if isinstance(given, Mapping) else {}
    widths = state.get("widths")
    hidden = state.get("hidden")
    return {
        "tab": state.get("tab") if state.get("tab") in TABS else PLAIN["tab"],
        "selected": _selected(state.get("selected")),
        "follow": state.get("follow") is not False,
        "filter": state["filter"][:MAX_TEXT] if isinstance(state.get("filter"), str) else "",
        "sort": _sort(state.get("sort")),
        "brush": _brush(state.get("brush")),
        "hidden": [name for name in hidden if isinstance(name, str)][:MAX_COLUMNS] if isinstance(hidden, list) else [],
        "widths": {name: width for name, width in widths.items() if _is_width(width)} if isinstance(widths, Mapping) else {},
        "at": _at(state.get("at")),
    }


def _selected(given: object) -> dict[str, Any] | None:
    if not isinstance(given, Mapping):
        return None
    kind = given.get("kind")
    if kind == "processor" and isinstance(given.get("name"), str):
        return {"kind": kind, "name": given["name"][:MAX_TEXT]}
    if kind == "message" and isinstance(given.get("seq"), int):
        return {"kind": kind, "seq": given["seq"]}
    return {"kind": kind} if kind == "source" else None


def _sort(given: object) -> list[str] | None:
    if isinstance(given, list) and len(given) == 2 and isinstance(given[0], str) and given[1] in ("asc", "desc"):  # noqa: PLR2004
        return [given[0], given[1]]
    return None


def _brush(given: object) -> list[float] | None:
    if not isinstance(given, list) or len(given) != 2:  # noqa: PLR2004
        return None
    return sorted(given) if all(isinstance(edge, int | float) and abs(edge) <= LATEST_MS for edge in given) else None


def _at(given: object) -> list[float] | None:
    """Return the era and the number of the row on top of the table."""
    if not isinstance(given, list) or len(given) != 2:  # noqa: PLR2004
        return None
    return given if all(isinstance(number, int | float) and 0 <= number < 2**53 for number in given) else None


def _is_width(width: object) -> bool:
    return isinstance(width, int | float) and 0 < width < 10_000  # noqa: PLR2004
