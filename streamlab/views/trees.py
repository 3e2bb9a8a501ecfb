"""Any value as a bounded tree that JSON can carry, and two trees compared.

A node is a dict: ``k`` its kind ("o" object, "a" array, "n" number, "s" text, "b" boolean, "z" null, "x" anything else, by its
repr), ``v`` its text, ``n`` how many parts an object or array has, ``c`` those parts as pairs of name and node, ``more`` how many
of them are left out, ``w`` how many characters or bytes were withheld, and ``h`` a hash of those, by which two can be told apart.
Numbers are text from end to end.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from streamlab.columns import fields_of
from streamlab.texts import clean, text_of
from streamlab.views.cells import WITHHELD_BYTES, cell, plain

__all__ = ["MAX_CHILDREN", "MAX_DEPTH", "MAX_NODES", "Change", "Tree", "differences", "tree"]

Tree = dict[str, Any]
Change = dict[str, Any]
MAX_DEPTH = 8
MAX_CHILDREN = 200
MAX_NODES = 2_000
MAX_NAME = 500
MAX_TEXT = 2_000
"""Characters of what is neither text nor has parts."""
MAX_CHANGES = 200


def tree(value: Any, *, withhold: int = WITHHELD_BYTES) -> Tree:
    """Return a value as a tree of at most 2,000 nodes; texts above ``withhold`` characters are left out, with their size."""
    return _Planter(withhold).plant(value, MAX_DEPTH)


class _Planter:
    """Makes the nodes of one tree, and counts them."""

    def __init__(self, withhold: int) -> None:
        self._withhold = withhold
        self._left = MAX_NODES

    def plant(self, value: Any, depth: int) -> Tree:
        self._left -= 1
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(bytes(value))
        value = plain(value)
        if isinstance(value, float):
            return {"k": "n", "v": float.__repr__(value)}
        if value is None or isinstance(value, bool | int | Decimal | datetime | date | time | UUID):
            kind, text = cell(value)
            return {"k": kind if kind in "nbz" else "x", "v": text}
        return self._parts(value, depth)

    def _text(self, value: str) -> Tree:
        if len(value) > self._withhold:
            return {"k": "s", "v": clean(value[:MAX_NAME], lines=True, limit=MAX_NAME), "w": len(value), "h": f"{hash(value):x}"}
        return {"k": "s", "v": clean(value, len(value), lines=True)}

    def _bytes(self, value: bytes) -> Tree:
        if len(value) > self._withhold:
            return {"k": "x", "v": repr(value[:MAX_NAME]), "w": len(value), "h": f"{hash(value):x}"}
        return {"k": "x", "v": repr(value)}

    def _parts(self, value: Any, depth: int) -> Tree:
        kind, size, parts = _taken_apart(value)
        if parts is None:
            return {"k": "x", "v": clean(text_of(value, repr), MAX_TEXT)}
        node: Tree = {"k": kind, "n": size}
        if depth <= 0 or self._left <= 0:
            return {**node, "more": size} if size else {**node, "c": []}
        children = [
            [clean(name, MAX_NAME), self.plant(part, depth - 1)] for name, part in islice(parts, MAX_CHILDREN) if self._left > 0
        ]
        node["c"] = children
        if size > len(children):
            node["more"] = size - len(children)
        return node


def _taken_apart(value: Any) -> tuple[str, int, Iterable[tuple[str, Any]] | None]:
    """Return whether a value is an object or an array, how many parts it has, and those with their names."""
    try:
        fields = fields_of(value)
        if fields is not None:
            return "o", len(fields), ((_name(name), part) for name, part in list(fields.items())[: MAX_CHILDREN + 1])
        if isinstance(value, list | tuple | AbstractSet):
            some = list(islice(value, MAX_CHILDREN + 1))
            return "a", len(value), ((str(number), part) for number, part in enumerate(some))
    except Exception:  # noqa: BLE001 - an object of a user may raise anything
        return "x", 0, None
    return "x", 0, None


def _name(name: Any) -> str:
    return name if isinstance(name, str) else cell(name)[1]


def differences(before: Tree, after: Tree) -> list[Change]:
    """Return where two trees differ: paths, and whether something was added, removed or changed there.

    Of parts that are left out only another number of them is seen.
    """
    found: list[Change] = []
    _compare(before, after, [], found)
    return found[:MAX_CHANGES]


def _compare(before: Tree, after: Tree, path: list[str], found: list[Change]) -> None:
    if before == after or len(found) > MAX_CHANGES:
        return
    if before["k"] != after["k"] or "c" not in before or "c" not in after:
        found.append({"path": path, "change": "changed"})
        return
    old, new = dict(before["c"]), dict(after["c"])
    if before.get("more") != after.get("more"):
        found.append({"path": path, "change": "changed"})
    for name in [*old, *(name for name in new if name not in old)]:
        here = [*path, name]
        if name not in new:
            found.append({"path": here, "change": "removed"})
        elif name not in old:
            found.append({"path": here, "change": "added"})
        else:
            _compare(old[name], new[name], here, found)
