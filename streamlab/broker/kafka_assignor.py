"""How a consumer group shares out partitions: evenly, and those that are joined so that they meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

__all__ = ["assignors"]

VERSION = 0
Members = Mapping[str, ConsumerProtocolMemberMetadata]
Shares = dict[str, dict[str, list[int]]]


def assignors(together: str) -> tuple[type[Any], ...]:
    """Return what a member offers: ours, which says whom it belongs together with, and the one that others know too."""

    class Together(_Together):
        @classmethod
        def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
            return ConsumerProtocolMemberMetadata(VERSION, list(topics), together.encode())

    return Together, RoundRobinPartitionAssignor


class _Together(RoundRobinPartitionAssignor):  # type: ignore[misc] # aiokafka has no types
    """Round robin, but for topics of members that belong together with others: of these, members with the same name get the same numbers.

    A join reads each of its topics as a member of its own. Partition 0 of the one topic has the keys of partition 0 of the
    other, so that one process has to get both, as in Kafka Streams.
    """

    name = "streamlab"

    @classmethod
    def assign(cls, cluster: Any, members: Members) -> dict[str, ConsumerProtocolMemberAssignment]:
        tied = {topic for member in members.values() if member.user_data for topic in member.subscription}
        shares: Shares = {member: {} for member in members}
        _share(shares, cluster, _only(members, lambda topic: topic not in tied), RoundRobinPartitionAssignor)
        order = sorted(members, key=lambda member: (members[member].user_data, member))
        places = {f"{place:08}": member for place, member in enumerate(order)}
        in_order = {place: members[member] for place, member in places.items()}
        placed: Shares = {place: {} for place in places}
        _share(placed, cluster, _only(in_order, lambda topic: topic in tied), RangePartitionAssignor)
        for place, share in placed.items():
            shares[places[place]].update(share)
        return {member: ConsumerProtocolMemberAssignment(VERSION, sorted(share.items()), b"") for member, share in shares.items()}


def _only(members: Members, wanted: Callable[[str], bool]) -> Members:
    topics = {name: list(filter(wanted, member.subscription)) for name, member in members.items()}
    return {name: ConsumerProtocolMemberMetadata(VERSION, some, b"") for name, some in topics.items() if some}


def _share(shares: Shares, cluster: Any, members: Members, assignor: Any) -> None:
    if members:
        for member, given in assignor.assign(cluster, members).items():
            shares[member].update(dict(given.assignment))
