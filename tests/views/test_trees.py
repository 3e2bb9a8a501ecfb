"""Values as trees, and two trees compared."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlab.views.trees import MAX_CHILDREN, MAX_DEPTH, MAX_NODES, Tree, differences, tree

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(categories=["L", "N"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=15,
)


def back(node: Tree) -> Any:
    """The value that a complete tree shows."""
    if node["k"] == "o":
        return {name: back(child) for name, child in node["c"]}
    if node["k"] == "a":
        return [back(child) for _, child in node["c"]]
    return node["v"] if node["k"] == "s" else json.loads(node["v"])


@given(json_values)
def test_a_tree_of_json_loses_nothing(value: Any) -> None:
    assert back(tree(value)) == value


@given(json_values)
def test_a_tree_can_be_written_as_json(value: Any) -> None:
    json.dumps(tree(value))


@pytest.mark.parametrize(
    ("value", "node"),
    [
        (UUID(int=98), {"k": "x", "v": "00000000-0000-0000-0000-000000000062"}),
        (np.int64(39), {"k": "n", "v": "39"}),
        (np.float64(0.1), {"k": "n", "v": "0.1"}),
        (frozenset(range(3)), {"k": "a", "n": 3, "c": [[str(n), {"k": "n", "v": str(n)}] for n in range(3)]}),
        (SimpleNamespace(text="y" * 100), {"k": "x", "v": f"namespace(text='{'y' * 100}')"}),
    ],
)
def test_what_json_does_not_know_is_there_whole(value: Any, node: Tree) -> None:
    assert tree(value) == node


def test_whole_numbers_are_exact() -> None:
    assert tree(2**63 + 1) == {"k": "n", "v": str(2**63 + 1)}


def test_what_is_long_wide_or_deep_is_cut_and_says_how_much_is_missing() -> None:
    wide = tree(list(range(MAX_CHILDREN + 5)))
    assert (len(wide["c"]), wide["more"], wide["n"]) == (MAX_CHILDREN, 5, MAX_CHILDREN + 5)
    long = tree("x" * 30_000)
    assert long["w"] == 30_000
    assert len(long["v"]) <= 500
    deep: Any = 1
    for _ in range(50):
        deep = [deep]
    node, levels = tree(deep), 0
    while node.get("c"):
        node, levels = node["c"][0][1], levels + 1
    assert levels == MAX_DEPTH
    assert node["more"] == 1


def count(node: Tree) -> int:
    return 1 + sum(count(child) for _, child in node.get("c", ()))


def test_a_tree_is_never_larger_than_its_bound() -> None:
    assert count(tree([[[n] * 100 for n in range(100)]] * 100)) <= MAX_NODES + MAX_CHILDREN


def test_a_value_that_holds_itself_ends() -> None:
    circle: list[Any] = []
    circle.append(circle)
    assert count(tree(circle)) == MAX_DEPTH + 1


class Hostile(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no")


@pytest.mark.parametrize("value", [Hostile(a=1), object(), {1: 2, None: 3, (1, 2): 4}, {b"k": 1}, float("nan"), {1, 2}])
def test_any_value_has_a_tree(value: Any) -> None:
    json.dumps(tree(value))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, [(["b"], "added")]),
        ({"a": 1, "b": 2}, {"a": 1}, [(["b"], "removed")]),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [(["a", "b"], "changed")]),
        ([1, 2], [1, 3, 4], [(["1"], "changed"), (["2"], "added")]),
        (1, "1", [([], "changed")]),
        ({"a": 1}, {"a": 1}, []),
    ],
)
def test_differences_are_told_by_path(before: Any, after: Any, expected: list[tuple[list[str], str]]) -> None:
    assert [(found["path"], found["change"]) for found in differences(tree(before), tree(after))] == expected


@given(json_values, json_values)
def test_a_tree_differs_from_another_just_when_the_values_do(one: Any, other: Any) -> None:
    assert bool(differences(tree(one), tree(other))) == (json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True))


def test_what_is_withheld_or_left_out_is_told_apart_too() -> None:
    for one, other in (("x" * 5_000, "x" * 4_999 + "y"), (b"x" * 5_000, b"x" * 4_999 + b"y"), ([0] * 300, [0] * 301)):
        trees = [tree({"a": value}, withhold=4_000) for value in (one, other, one)]
        assert differences(trees[0], trees[1]) == [{"path": ["a"], "change": "changed"}]
        assert differences(trees[0], trees[2]) == []
