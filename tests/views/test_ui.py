"""What browsers write is checked before anything trusts it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlab.views.bridge import parse
from streamlab.views.ui import PLAIN, checked

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*PLAIN, "kind", "name", "seq"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(anything)
def test_whatever_comes_becomes_a_state(given_state: Any) -> None:
    state = checked(given_state)
    assert set(state) == set(PLAIN)
    assert checked(state) == state


def test_a_state_that_makes_sense_stays() -> None:
    state = {
        "tab": "errors",
        "selected": {"kind": "processor", "name": "enrich"},
        "follow": False,
        "filter": "amount > 1",
        "sort": ["amount", "desc"],
        "brush": [1, 2],
        "hidden": ["key"],
        "widths": {"amount": 80},
        "at": [3, 1200],
    }
    assert checked(state) == state


@pytest.mark.parametrize("content", [None, 3, [], {}, {"t": "hello"}, {"t": "nonsense", "view": "a"}, {"t": "ack", "view": 7}])
def test_what_is_no_message_is_none(content: Any) -> None:
    assert parse(content) is None


def test_a_messages_fields_are_read_with_what_they_are_otherwise() -> None:
    request = parse(
        {"t": "do", "view": "a", "n": 3.0, "bad": "x", "on": True, "args": {"names": ["a", 1], "numbers": [1, "b", True]}}
    )
    assert request is not None
    assert (request.number("n"), request.number("bad", 7), request.number("missing")) == (3, 7, 0)
    assert (request.flag("on"), request.flag("n", default=True)) == (True, True)
    assert request.part("args").texts("names") == ["a"]
    assert request.part("args").numbers("numbers") == [1]
    assert request.part("missing").texts("names") == []
    assert parse({"t": "do", "view": "a", "n": float("nan")}).number("n", 5) == 5  # type: ignore[union-attr]
