from __future__ import annotations

import sys

import pytest

from streamlab.texts import clean, shown, text_of


class Unshowable:
    def __repr__(self) -> str:
        raise KeyError


def test_long_text_is_cut() -> None:
    assert clean("x" * 5000, 10) == "x" * 9 + "…"


def test_line_ends_stay_only_where_lines_are_wanted() -> None:
    assert clean("a\nb\tc\r") == "a\u240ab\u2409c\u240d"
    assert clean("a\nb\tc\r", lines=True) == "a\nb\tc\u240d"


def test_whatever_ends_a_line_is_seen() -> None:
    ends = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if len(f"a{c}b".splitlines()) > 1)
    assert len(ends) == 10
    assert clean(f"a{ends}b".replace("\n", "")).splitlines() == [clean(f"a{ends}b".replace("\n", ""))]


def test_a_value_that_fails_is_named() -> None:
    assert shown(Unshowable()) == text_of(Unshowable()) == "<Unshowable that cannot be shown: KeyError>"


@pytest.mark.parametrize(("value", "text"), [("a\nb", "'a\\nb'"), (b"x" * 300, "b'" + "x" * 197 + "…"), (None, "None")])
def test_a_repr_is_one_bounded_line(value: object, text: str) -> None:
    assert shown(value) == text
