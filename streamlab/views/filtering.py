"""A small language to find messages: ``amount > 100 and who.name in ("Ada", "Grace")``, or just a text to look for.

Names are fields of the value, dots lead into objects. ``topic``, ``partition``, ``offset``, ``timestamp`` and ``key`` are the
message's own (a field of that name is ``value.key``). There are ``== != < <= > >=``, ``in`` and ``not in``, ``and``, ``or``,
``not``, numbers, texts, ``true``, ``false``, ``null``; ``"text" in field`` looks inside of a text or a list. Times compare with
ISO texts, numbers with numbers that stand in texts. What cannot be compared, or is missing, is simply not equal, not less
and not greater. A text without an operator is looked for in keys and values, without regard to case.
The text is parsed, never evaluated.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from streamlab.errors import InvalidValue
from streamlab.views.cells import META
from streamlab.views.details import as_json

if TYPE_CHECKING:
    from streamlab.views.rows import Row

__all__ = ["FilterError", "compile_filter"]

Test = Callable[["Row"], Any]
MAX_TEXT = 2_000
MAX_PARTS = 200
_WORDS = {"true": True, "false": False, "null": None, "none": None}
_MISSING = object()
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class _Choice(tuple[Any, ...]):
    """Several things written out in a filter."""

    __slots__ = ()


class FilterError(InvalidValue):
    """A filter that cannot be read; the message says where."""


def compile_filter(text: str) -> Test:
    """Return what tells whether a row is meant; FilterError when the text looks like an expression and is none."""
    text = text.strip()
    if len(text) > MAX_TEXT:
        raise FilterError(f"a filter has at most {MAX_TEXT:,} characters, not {len(text):,}")
    try:
        tree = ast.parse(_spelled(text), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if _looks_like_expression(text):
            raise FilterError(_told(text, error)) from None
        return _search(text)
    if not isinstance(tree, ast.Compare | ast.BoolOp) and not (isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)):
        return _search(text)
    if sum(1 for _ in ast.walk(tree)) > MAX_PARTS * 3:
        raise FilterError("this filter is too long: filter in a processor instead")
    test = _truth(tree)
    return lambda row: bool(test(row))


def _spelled(text: str) -> str:
    """Return an expression as Python spells it: a single ``=`` between two things is meant as ``==``."""
    spelled, quote = "", ""
    for place, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
            sign = "\\\\" if sign == "\\" else sign  # noqa: PLW2901 - it stands for itself
        elif sign in "\"'":
            quote = sign
        elif sign == "=" and text[place - 1 : place] not in ("=", "<", ">", "!") and text[place + 1 : place + 2] != "=":
            sign = "=="  # noqa: PLW2901
        spelled += sign
    return spelled.replace("&&", " and ").replace("||", " or ")


def _looks_like_expression(text: str) -> bool:
    return any(sign in text for sign in ("==", "!=", "<=", ">=", " and ", " or ", " in ", "<", ">"))


def _told(text: str, error: BaseException) -> str:
    place = min(getattr(error, "offset", None) or len(text), len(text))
    example = 'amount > 100 and currency == "EUR"'
    return f"cannot read the filter {text!r} at character {place}: write it like {example}, or a text to look for"


def _search(text: str) -> Test:
    wanted = text.strip("\"'").casefold()
    as_bytes = wanted.encode("utf-8", "replace")

    def contains(row: Row) -> bool:
        for raw in (row.raw_value, row.raw_key):
            if isinstance(raw, bytes) and (as_bytes in raw.lower() or (not raw.isascii() and wanted in _text(raw))):
                return True
        if _is_written_out(row):
            return False
        return wanted in _unescaped(as_json(row.value)).casefold() or wanted in str(row.key or "").casefold()

    return contains


def _is_written_out(row: Row) -> bool:
    """Tell whether all of a value's text is in its bytes: it is what they say, and nothing in them is escaped."""
    raw, opened = row.raw_value, row.opened
    if not isinstance(raw, bytes) or b"\\" in raw or opened is None:
        return False
    try:
        said = raw.decode() if isinstance(row.value, str) else raw if isinstance(row.value, bytes) else opened.fast(raw)
        return bool(said == row.value)
    except Exception:  # noqa: BLE001 - whatever a codec, or a user's class, raises
        return False


def _unescaped(text: str) -> str:
    return text.replace('\\"', '"').replace("\\\\", "\\") if "\\" in text else text


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").casefold()


def _truth(node: ast.expr) -> Test:
    """Return the test that a part of an expression is."""
    if isinstance(node, ast.BoolOp):
        tests = [_truth(part) for part in node.values]
        if isinstance(node.op, ast.And):
            return lambda row: all(test(row) for test in tests)
        return lambda row: any(test(row) for test in tests)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _truth(node.operand)
        return lambda row: not inner(row)
    if isinstance(node, ast.Compare):
        return _comparison(node)
    value = _value(node)
    return lambda row: _is_true(value(row))


def _is_true(value: Any) -> bool:
    return value is not _MISSING and bool(value)


def _comparison(node: ast.Compare) -> Test:
    sides = [_value(part) for part in (node.left, *node.comparators)]
    tests = [_compared(op, left, right) for op, left, right in zip(node.ops, sides, sides[1:], strict=False)]
    if len(tests) == 1:
        return tests[0]
    return lambda row: all(test(row) for test in tests)


def _compared(op: ast.cmpop, left: Test, right: Test) -> Test:
    if isinstance(op, ast.In):
        return lambda row: _is_in(left(row), right(row))
    if isinstance(op, ast.NotIn):
        return lambda row: not _is_in(left(row), right(row))
    if isinstance(op, ast.Is | ast.IsNot):
        wanted = isinstance(op, ast.Is)
        return lambda row: (_present(left(row)) == _present(right(row))) is wanted
    compare = _COMPARE[type(op)]

    def test(row: Row) -> bool:
        one, other = left(row), right(row)
        try:
            return compare(one, other)
        except TypeError:
            return _compare_unlike(compare, one, other)

    if compare not in (operator.eq, operator.ne):
        return test
    wanted = compare is operator.eq
    return lambda row: _equal(left(row), right(row)) is wanted


def _present(value: Any) -> Any:
    return None if value is _MISSING else value


def _equal(one: Any, other: Any) -> bool:
    if one is _MISSING or other is _MISSING:
        return (one is _MISSING or one is None) and (other is _MISSING or other is None)
    if isinstance(one, bool) is not isinstance(other, bool):  # to Python true is 1
        return False
    return bool(one == other) or _compare_unlike(operator.eq, one, other)


def _compare_unlike(compare: Callable[[Any, Any], bool], one: Any, other: Any) -> bool:
    """Compare a number with a text that holds one, or a time with an ISO text; False for what cannot be compared."""
    try:
        if isinstance(one, str) and isinstance(other, int | float):
            return compare(float(one), other)
        if isinstance(other, str) and isinstance(one, int | float):
            return compare(one, float(other))
        if isinstance(one, datetime) and isinstance(other, str):
            return compare(one, _when(other))
        if isinstance(other, datetime) and isinstance(one, str):
            return compare(_when(one), other)
    except (ValueError, TypeError, OverflowError):
        return False
    return False


def _when(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _is_in(one: Any, other: Any) -> bool:
    if isinstance(other, _Choice):
        return one is not _MISSING and any(_equal(one, part) for part in other)
    try:
        return one is not _MISSING and other is not _MISSING and one in other
    except TypeError:
        return False


def _value(node: ast.expr) -> Test:
    """Return what gives the value of a name or of something written out."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | bool | None):
        constant = node.value
        return lambda _: constant
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        negative = -node.operand.value  # type: ignore[operator] # a text is refused by Python
        return lambda _: negative
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        parts = [_value(part) for part in node.elts]
        return lambda row: _Choice(part(row) for part in parts)
    path = _path(node)
    if path is None:
        raise FilterError(f"a filter compares fields with values: character {node.col_offset + 1} begins something else")
    return _lookup(path)


def _path(node: ast.expr) -> list[str] | None:
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        before = _path(node.value)
        return None if before is None else [*before, node.attr]
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        before = _path(node.value)
        return None if before is None else [*before, str(node.slice.value)]
    return None


def _lookup(path: list[str]) -> Test:
    first = path[0]
    if len(path) == 1 and first.casefold() in _WORDS:
        word = _WORDS[first.casefold()]
        return lambda _: word
    if len(path) == 1 and first in META:
        return _META_LOOKUPS[first]
    if first == "value" and len(path) > 1:
        path = path[1:]
    elif first == "value":
        return lambda row: row.value
    if len(path) == 1:
        name = path[0]

        def quick(row: Row) -> Any:
            value = row.value
            return value.get(name, _MISSING) if type(value) is dict else _field(value, name)

        return quick

    def deep(row: Row) -> Any:
        value = row.value
        for name in path:
            value = _field(value, name)
        return value

    return deep


def _field(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(name, _MISSING)
    if isinstance(value, list | tuple) and name.isdecimal() and not hasattr(value, "_fields"):
        return value[int(name)] if int(name) < len(value) else _MISSING
    if value is None or value is _MISSING or name.startswith("_"):
        return _MISSING
    try:
        found = getattr(value, name, _MISSING)
    except Exception:  # noqa: BLE001 - a property of a user's class may raise anything
        return _MISSING
    return _MISSING if callable(found) else found


def _time(row: Row) -> Any:
    try:
        return _MISSING if row.timestamp_ms is None else datetime.fromtimestamp(row.timestamp_ms / 1000, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return _MISSING


_META_LOOKUPS: dict[str, Test] = {
    "topic": lambda row: row.topic,
    "partition": lambda row: row.partition,
    "offset": lambda row: row.offset,
    "timestamp": _time,
    "key": lambda row: row.key,
}
