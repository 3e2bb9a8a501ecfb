"""How a consumer group shares out partitions: evenly, and those that are joined so that they meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

__all__ = ["assignor"]

VERSION = 0
Members = Mapping[str, ConsumerProtocolMemberMetadata]
Shares = dict[str, dict[str, list[int]]]


class Told(msgspec.Struct):
    """What a member tells the one that shares out.

    Attributes
    ----------
    together : str
        Members with the same text belong together.
    partitions : dict of str to int
        How many partitions its topics have: who shares out may read other topics, and not know these yet.
    """

    together: str = ""
    partitions: dict[str, int] = {}


class Known:
    """The partitions of topics, as far as they are known to the cluster's client or were told by a member."""

    def __init__(self, cluster: Any, told: Iterable[Told]) -> None:
        self._cluster = cluster
        self._told = {topic: count for one in told for topic, count in one.partitions.items()}

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """Return their numbers, as aiokafka's cluster does."""
        known: set[int] | None = self._cluster.partitions_for_topic(topic)
        return known or (set(range(self._told[topic])) if topic in self._told else None)


def assignor(together: str, partitions: Mapping[str, int]) -> type[Any]:
    """Return how a member shares out, which also says whom it belongs together with.

    It is one only, since aiokafka joins a group once for each that it is given, and two members then drive each other out of
    it for ever. Its name is that of aiokafka's own, so that members of other programs can be in the group.
    """
    told = msgspec.json.encode(Told(together, dict(partitions)))

    class Together(_Together):
        @classmethod
        def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
            return ConsumerProtocolMemberMetadata(VERSION, list(topics), told)

    return Together


class _Together(RoundRobinPartitionAssignor):  # type: ignore[misc] # aiokafka has no types
    """Round robin, but for topics of members that belong together with others: of these, members with the same name get the same numbers.

    A join reads each of its topics as a member of its own. Partition 0 of the one topic has the keys of partition 0 of the
    other, so that one process has to get both, as in Kafka Streams.
    """

    @classmethod
    def assign(cls, cluster: Any, members: Members) -> dict[str, ConsumerProtocolMemberAssignment]:
        told = {name: _told(member.user_data) for name, member in members.items()}
        known = Known(cluster, told.values())
        tied = {topic for name, member in members.items() if told[name].together for topic in member.subscription}
        shares: Shares = {name: {} for name in members}
        _share(shares, known, _only(members, lambda topic: topic not in tied), RoundRobinPartitionAssignor)
        places = {f"{place:08}": name for place, name in enumerate(sorted(members, key=lambda name: (told[name].together, name)))}
        in_order = {place: members[name] for place, name in places.items()}
        placed: Shares = {place: {} for place in places}
        _share(placed, known, _only(in_order, lambda topic: topic in tied), RangePartitionAssignor)
        for place, share in placed.items():
            shares[places[place]].update(share)
        return {name: ConsumerProtocolMemberAssignment(VERSION, sorted(share.items()), b"") for name, share in shares.items()}


def _told(user_data: bytes) -> Told:
    return msgspec.json.decode(user_data, type=Told) if user_data else Told()


def _only(members: Members, wanted: Callable[[str], bool]) -> Members:
    topics = {name: list(filter(wanted, member.subscription)) for name, member in members.items()}
    return {name: ConsumerProtocolMemberMetadata(VERSION, some, b"") for name, some in topics.items() if some}


def _share(shares: Shares, known: Known, members: Members, how: Any) -> None:
    if members:
        for name, given in how.assign(known, members).items():
            shares[name].update(dict(given.assignment))
