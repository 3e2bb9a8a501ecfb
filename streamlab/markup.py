"""HTML made of untrusted text: everything is escaped, cut, and visible.

Colours are JupyterLab's variables with fallbacks, so cards fit the light and the dark theme, and stay
readable where there are no variables.
"""

from __future__ import annotations

import codecs
import dataclasses
import html
import json
import re
import reprlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import msgspec

from streamlab.texts import LIMIT, clean, text_of

__all__ = [
    "MAX_ROWS",
    "Html",
    "alarming",
    "block",
    "card",
    "dim",
    "escape",
    "fact_table",
    "hint_lines",
    "pretty",
    "section",
    "table",
    "utc",
    "without_secrets",
]

_VALUE_LIMIT = 4_000
_FORMAT_BYTES = 256 * 1024
"""Payloads above this are cut before they are laid out, not after."""
MAX_ROWS = 30
_DIGITS = 15
"""Of a float: as many as it holds of any decimal number."""
_NO_TIMESTAMP_S = -0.001  # a record without one says -1 ms

_BORDER = "1px solid var(--jp-border-color2, #c4c4c4)"
_DIM = "color:var(--jp-ui-font-color2, #767676)"
_ERROR = "color:var(--jp-error-color1, #d32f2f)"
_CODE = "font-family:var(--jp-code-font-family, monospace);font-size:var(--jp-code-font-size, 12px)"
_LEFT = "text-align:left"
_RIGHT = "text-align:right;font-variant-numeric:tabular-nums"
# A time in two lines is hard to read, and so is a cell as wide as the page. On the cells: JupyterLab styles those.
_SHORT = ";white-space:nowrap"
_LONG = ";white-space:normal;overflow-wrap:anywhere;min-width:16em;max-width:40em"
_LONG_FROM = 48
_TAG = re.compile("<[^>]*>")
_CARD = f"border:{_BORDER};border-radius:4px;padding:8px 12px;margin:2px 0;display:inline-block;max-width:100%;overflow:auto"
_PRE = f"margin:0;white-space:pre-wrap;overflow-wrap:anywhere;max-height:24em;overflow:auto;background:transparent;{_CODE}"


class Html(str):
    """Text that is HTML already: ``escape`` leaves it alone."""

    __slots__ = ()


def escape(value: object, limit: int = LIMIT, *, lines: bool = False) -> Html:
    """Return ``value`` as HTML that shows its text, cut at ``limit`` characters."""
    if isinstance(value, Html):
        return value
    return Html(html.escape(clean(text_of(value), limit, lines=lines)))


def table(rows: Iterable[Sequence[object]], columns: Sequence[object], *, max_rows: int = MAX_ROWS, grouped: bool = True) -> Html:
    """Return an HTML table; cells are escaped unless they are ``Html``, columns that begin with a number stand to the right.

    Parameters
    ----------
    grouped : bool
        Integers are counts, and written as 1,234,567; False for what is data or is typed in again, such as offsets.
    """
    waiting = iter(rows)
    shown = list(islice(waiting, max_rows))
    left = sum(1 for _ in waiting)
    styles = [_side(row[place] for row in shown) for place in range(len(columns))]
    head = "".join(
        f'<th scope="col" style="{style}">{escape(column)}</th>' for column, style in zip(columns, styles, strict=True)
    )
    body = "".join(f"<tr>{_cells(row, styles, grouped=grouped)}</tr>" for row in shown)
    more = f"<div>{dim(f'… and {left:,} more')}</div>" if left else ""
    return Html(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}")


def utc(timestamp_s: float | None) -> str:
    """Return seconds since 1970 as ISO 8601 in UTC, or the bare number where no calendar reaches."""
    if timestamp_s is None or timestamp_s == _NO_TIMESTAMP_S:
        return "none"
    try:
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=round(timestamp_s * 1000))
    except (OverflowError, ValueError, TypeError):
        return f"{timestamp_s!r} s since 1970"
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def pretty(value: object, limit: int = _VALUE_LIMIT) -> str:
    """Return a key or value as indented JSON where it is JSON, else as text, cut at ``limit`` characters.

    Bytes and strings are laid out as they are written, so numbers and doubled keys stay what they were.
    """
    try:
        return clean(_pretty(value, limit), limit, lines=True)
    except Exception as exc:  # noqa: BLE001 - objects of users may raise anything, and a repr must not
        return clean(f"<{type(value).__name__} that cannot be shown: {type(exc).__name__}>", limit)


def without_secrets(url: str) -> str:
    """Return a broker's address without user, password and query."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    user, _, hosts = rest.rpartition("@")
    # With a question mark before the last @, nobody can tell which of them belongs to a password.
    return scheme + separator + ("…" if "?" in user else hosts.partition("?")[0])


def card(kind: str, title: object, *parts: str) -> Html:
    """Return a card: its kind and title in one line, below it the parts."""
    head = f"<div>{dim(kind)} <b>{escape(title)}</b></div>"
    return Html(f'<div class="streamlab-card" style="{_CARD}">{head}{"".join(parts)}</div>')


def fact_table(facts: Iterable[tuple[str, object]]) -> Html:
    """Return names and what is known of each."""
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left;vertical-align:top;font-weight:normal">{dim(name)}</th>'
        f'<td style="text-align:left">{escape(_readable(value, grouped=True))}</td></tr>'
        for name, value in facts
    )
    return Html(f"<table><tbody>{rows}</tbody></table>")


def section(title: str, rows: Sequence[Sequence[object]], columns: Sequence[str], *, grouped: bool = True) -> Html:
    """Return a titled table, or nothing when there are no rows."""
    return Html(f"<div>{escape(title)}</div>{table(rows, columns, grouped=grouped)}" if rows else "")


def hint_lines(*hints: tuple[str, str]) -> Html:
    """Return lines of code to go on with, each with what it gives."""
    lines = "".join(f"<div><code>{escape(code)}</code> {dim(what)}</div>" for code, what in hints)
    return Html(f'<div style="margin-top:4px">{lines}</div>')


def dim(text: object) -> Html:
    """Return text that stands back."""
    return Html(f'<span style="{_DIM}">{escape(text)}</span>')


def alarming(text: object) -> Html:
    """Return text in the colour of errors."""
    return Html(f'<span style="{_ERROR}">{escape(text)}</span>')


def block(text: str) -> Html:
    """Return text of several lines, as code."""
    return Html(f'<pre style="{_PRE}">{escape(text, _VALUE_LIMIT, lines=True)}</pre>')


def _cells(row: Sequence[object], styles: Sequence[str], *, grouped: bool) -> str:
    texts = [escape(_readable(cell, grouped=grouped)) for cell in row]
    return "".join(
        f'<td style="{style}{_LONG if len(_TAG.sub("", text)) > _LONG_FROM else _SHORT}">{text}</td>'
        for text, style in zip(texts, styles, strict=True)
    )


def _side(cells: Iterable[object]) -> str:
    """Return the side on which a column stands: that of its first cell that is no markup, such as that of a None."""
    first = next((cell for cell in cells if not isinstance(cell, Html)), None)
    return _RIGHT if isinstance(first, int | float) and not isinstance(first, bool) else _LEFT


def _readable(value: object, *, grouped: bool) -> object:
    """Return a number as people write it: no 5.6000000000000005."""
    if isinstance(value, float):
        text = f"{value:.{_DIGITS}g}"
        return f"{text}.0" if text.lstrip("-").isdecimal() else text
    return f"{value:,}" if grouped and isinstance(value, int) and not isinstance(value, bool) else value


def _pretty(value: object, limit: int) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return _pretty_bytes(bytes(value), limit)
    if isinstance(value, str):
        return _laid_out(value) if len(value) <= _FORMAT_BYTES else value
    return _json_until(value, limit)


def _pretty_bytes(raw: bytes, limit: int) -> str:
    whole = len(raw) <= _FORMAT_BYTES
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(raw[:_FORMAT_BYTES], final=whole)
    except UnicodeDecodeError:
        return repr(raw[:limit])
    return _laid_out(text) if whole else text


def _laid_out(text: str) -> str:
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return text


def _json_until(value: object, limit: int) -> str:
    """Return JSON as far as it is shown: a large value costs no more than a small one."""
    parts, length = [], 0
    try:
        for part in json.JSONEncoder(indent=2, ensure_ascii=False, default=_for_json).iterencode(value):
            parts.append(part)
            length += len(part)
            if length > limit:
                break
    except (TypeError, ValueError, RecursionError):  # keys that JSON does not have, a value within itself
        return reprlib.repr(value)
    return "".join(parts)


def _for_json(value: Any) -> object:
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):  # pydantic
        return value.model_dump()
    if isinstance(value, set | frozenset):
        return list(value)
    return repr(value) if isinstance(value, bytes) else str(value)
