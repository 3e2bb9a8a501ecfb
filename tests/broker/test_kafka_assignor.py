"""How our members of a group share out partitions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from streamlab.broker.kafka_assignor import assignor

CLUSTER = SimpleNamespace(partitions_for_topic=lambda topic: set(range({"orders": 4, "payments": 4, "new": 0}.get(topic, 1))))


def shares(partitions: dict[str, int] | None = None, **members: tuple[str, str]) -> dict[str, dict[str, list[int]]]:
    """Return who gets what; a member is whom it belongs together with, and its topics."""
    ours: Any = None
    told = {}
    for name, (together, topics) in members.items():
        ours = assignor(together, partitions or {})
        told[name] = ours.metadata(topics.split())
    return {name: dict(given.assignment) for name, given in ours.assign(CLUSTER, told).items()}


def test_members_that_belong_together_get_the_same_partition_numbers() -> None:
    given = shares(c=("one", "orders"), a=("two", "payments"), b=("one", "payments"), d=("two", "orders"))
    assert given == {"c": {"orders": [0, 1]}, "b": {"payments": [0, 1]}, "a": {"payments": [2, 3]}, "d": {"orders": [2, 3]}}


def test_topics_that_nobody_joins_are_shared_out_evenly() -> None:
    given = shares(a=("", "t1 t2 t3 t4"), b=("", "t1 t2 t3 t4"))
    assert [len(topics) for topics in given.values()] == [2, 2]


def test_a_topic_that_only_its_reader_knows_is_shared_out_too() -> None:
    assert shares({"new": 2}, a=("", "t1"), b=("one", "new")) == {"a": {"t1": [0]}, "b": {"new": [0, 1]}}


def test_joined_and_other_topics_go_together_in_one_group() -> None:
    given = shares(a=("one", "orders"), b=("one", "payments"), c=("", "t1"), d=("", "t1"))
    assert given["a"]["orders"] == given["b"]["payments"] == [0, 1, 2, 3]
    assert sorted([*given["c"], *given["d"]]) == ["t1"]


def test_members_of_other_programs_may_be_in_the_group() -> None:
    ours = assignor("one", {})
    assert ours.name == "roundrobin"
    told = {"a": ours.metadata(["t1", "t2"]), "b": RoundRobinPartitionAssignor.metadata(["t3"])}
    given = {name: dict(share.assignment) for name, share in ours.assign(CLUSTER, told).items()}
    assert given == {"a": {"t1": [0], "t2": [0]}, "b": {"t3": [0]}}
