"""What the table shows of a value: columns with dotted names, and a short text with its kind in each cell."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from streamlab.columns import MAX_COLUMNS, SCALAR, fields_of, name_of
from streamlab.joined import Joined
from streamlab.texts import clean

if TYPE_CHECKING:
    from streamlab.views.rows import Row

__all__ = ["CELL_LIMIT", "DEPTH", "META", "WITHHELD_BYTES", "Cell", "ColumnBook", "cell", "flat", "plain"]

Kind = Literal["n", "s", "b", "t", "o", "z", "w"]
Cell = tuple[Kind, str]
META = ("topic", "partition", "offset", "timestamp", "key")
"""What a message has of its own."""
CELL_LIMIT = 200
DEPTH = 3
FLOAT_LENGTH = 14
WITHHELD_BYTES = 20_000
"""Values above this are shown when somebody asks for them."""
_WORDS: dict[bool | None, Cell] = {None: ("z", "null"), True: ("b", "true"), False: ("b", "false")}
_short = reprlib.Repr()
_short.maxdict = _short.maxlist = _short.maxtuple = _short.maxset = 6
_short.maxstring, _short.maxother = 40, 100
_short.maxlong = 100


def flat(value: Any, depth: int = DEPTH) -> dict[str, Any]:
    """Return a value's fields, those of objects within it with dotted names; what has no fields is a field ``value``.

    A field that is called as something of the message's own, like ``key``, is ``value.key``, as in a DataFrame. Of very many fields
    there is one more than a table has columns, which tells that there are more.
    """
    found: dict[str, Any] = {}
    fields = _fields(value)
    if not fields:
        return {SCALAR: value}
    if isinstance(value, Joined):  # a side that is missing has no fields, and is none
        fields = {name: part for name, part in fields.items() if part is not None}
    _flatten(found, "", {f"{SCALAR}.{name}" if name in META else name: part for name, part in fields.items()}, depth)
    return found


def _flatten(found: dict[str, Any], before: str, fields: dict[str, Any], depth: int) -> None:
    for name, part in fields.items():
        inner = _fields(part) if depth > 1 else None
        if len(found) > MAX_COLUMNS:
            return
        if inner:
            _flatten(found, f"{before}{name}.", inner, depth - 1)
        else:
            found[f"{before}{name}"] = part


def _fields(value: Any) -> dict[str, Any] | None:
    """Return a copy of the fields: the stream may go on with the object meanwhile, and change it."""
    try:
        fields = fields_of(value)
        return None if fields is None else {name_of(name): part for name, part in dict(fields).items()}
    except Exception:  # noqa: BLE001 - an object of a user may raise anything
        return None


def cell(value: Any) -> Cell:
    """Return the kind of a value and the text that a cell shows of it; whole numbers are exact."""
    try:
        return _cell(plain(value))
    except Exception as error:  # noqa: BLE001 - an object of a user may raise anything
        return "o", f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


def plain(value: Any) -> Any:
    """Return what a scalar of numpy stands for; anything else as it is."""
    is_scalar = type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
    return value.item() if is_scalar and value.dtype.kind in "biuf" else value


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float | Decimal):
        return "n", _number(value)
    if isinstance(value, datetime | date | time):
        return "t", value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        size = len(value)
        return ("w", f"{size:,} bytes") if size > WITHHELD_BYTES else ("s", clean(repr(bytes(value[:CELL_LIMIT])), CELL_LIMIT))
    return ("s", str(value)) if isinstance(value, UUID) else ("o", clean(_short.repr(value), CELL_LIMIT))


def _text(value: str) -> Cell:
    if len(value) > WITHHELD_BYTES:
        return "w", f"{len(value):,} characters"
    return "s", clean(value[: CELL_LIMIT + 1], CELL_LIMIT)


def _number(value: float | Decimal) -> str:
    if isinstance(value, float) and len(repr(value)) > FLOAT_LENGTH:
        return f"{value:.12g}"  # 425.90000000000003 is 425.9 to whoever reads a column; the inspector shows all digits
    try:
        return clean(str(value), CELL_LIMIT)
    except ValueError:  # Python refuses to write whole numbers of more than 4,300 digits
        return f"a number of {value.bit_length():,} bits" if isinstance(value, int) else "a number"


class ColumnBook:
    """The columns of a stream's values, in the order in which they appeared, each with the kind that most of its cells have.

    Attributes
    ----------
    kinds : dict of str to str
        By name; the first 2,000.
    more : bool
        Whether there are others.
    """

    def __init__(self) -> None:
        self.kinds: dict[str, Kind] = {}
        self.more = False
        self._topics: set[str | None] = set()

    def note(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Look which fields there are."""
        kinds = self.kinds
        for row in rows:
            for name, value in row.items():
                if name not in kinds and len(kinds) >= MAX_COLUMNS:
                    self.more = True
                elif value is not None and kinds.get(name, "z") == "z":
                    self.kinds[name] = cell(value)[0]
                elif name not in kinds:
                    self.kinds[name] = "z"

    def sample(self, values: list[Any], count: int = 5) -> None:
        """Look at a few of many values."""
        if values:
            self.note(flat(value) for value in values[:: max(len(values) // count, 1)])

    def note_rows(self, rows: Iterable[Row]) -> None:
        """Look at rows that are shown: their fields, and whether there are several topics."""
        for row in rows:
            self.note((flat(row.value),))
            self._topics.add(row.topic)

    @property
    def several_topics(self) -> bool:
        """Whether messages of more than one topic were seen."""
        return len(self._topics) > 1

    def clear(self) -> None:
        """Forget them."""
        self.kinds, self._topics, self.more = {}, set(), False
