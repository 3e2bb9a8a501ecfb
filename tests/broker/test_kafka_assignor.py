"""How our members of a group share out partitions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from streamlab.broker.kafka_assignor import assignors

CLUSTER = SimpleNamespace(partitions_for_topic=lambda topic: set(range({"orders": 4, "payments": 4}.get(topic, 1))))


def shares(**members: tuple[str, str]) -> dict[str, dict[str, list[int]]]:
    """Return who gets what; a member is whom it belongs together with, and its topics."""
    ours: Any = None
    told = {}
    for name, (together, topics) in members.items():
        ours = assignors(together)[0]
        told[name] = ours.metadata(topics.split())
    return {name: dict(given.assignment) for name, given in ours.assign(CLUSTER, told).items()}


def test_members_that_belong_together_get_the_same_partition_numbers() -> None:
    given = shares(c=("one", "orders"), a=("two", "payments"), b=("one", "payments"), d=("two", "orders"))
    assert given == {"c": {"orders": [0, 1]}, "b": {"payments": [0, 1]}, "a": {"payments": [2, 3]}, "d": {"orders": [2, 3]}}


def test_topics_that_nobody_joins_are_shared_out_evenly() -> None:
    given = shares(a=("", "t1 t2 t3 t4"), b=("", "t1 t2 t3 t4"))
    assert [len(topics) for topics in given.values()] == [2, 2]


def test_joined_and_other_topics_go_together_in_one_group() -> None:
    given = shares(a=("one", "orders"), b=("one", "payments"), c=("", "t1"), d=("", "t1"))
    assert given["a"]["orders"] == given["b"]["payments"] == [0, 1, 2, 3]
    assert sorted([*given["c"], *given["d"]]) == ["t1"]


@pytest.mark.parametrize("together", ["", "one"])
def test_others_in_the_group_may_know_only_round_robin(together: str) -> None:
    assert [assignor.name for assignor in assignors(together)] == ["streamlab", "roundrobin"]
