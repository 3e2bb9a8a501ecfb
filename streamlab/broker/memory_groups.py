"""Consumer groups of the memory broker: who has which partition, and what was committed.

Rebalances are eager: every member gives up everything before anyone gets anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from streamlab.events import TP

__all__ = ["GroupMember", "MemoryGroup", "range_assignment"]


class GroupMember(Protocol):
    """What a group asks of a reader."""

    @property
    def topics(self) -> tuple[str, ...]:
        """What it subscribed to."""

    @property
    def together(self) -> str:
        """Whom it belongs together with, see ``ReaderOptions``."""

    async def give_up(self) -> None:
        """Tell the listener that the partitions go, then let them go."""

    async def take_over(self, positions: Mapping[TP, int], generation: int) -> None:
        """Start at these positions, then tell the listener."""


class MemoryGroup:
    """One group: its members in the order in which they joined, and its commits.

    Parameters
    ----------
    partitions : callable
        Gives the number of partitions of a topic, 0 when there is none.
    low : callable
        Gives the first offset of a partition, where reading begins without a commit.
    """

    def __init__(self, partitions: Callable[[str], int], low: Callable[[TP], int]) -> None:
        self.members: list[GroupMember] = []
        self.committed: dict[TP, int] = {}
        self.generation = 0
        self._partitions = partitions
        self._low = low
        self._lock = asyncio.Lock()
        self._rebalances: set[asyncio.Task[None]] = set()

    async def join(self, member: GroupMember) -> None:
        """Add a member; returns when it has its partitions."""
        self.members.append(member)
        await self.rebalance()

    async def leave(self, member: GroupMember) -> None:
        """Remove a member; returns when the others have its partitions."""
        if member in self.members:
            self.members.remove(member)
            await self.rebalance()

    async def rebalance(self) -> None:
        """Share the partitions out anew. Cancelling the wait does not stop it half-way."""
        task = asyncio.create_task(self._rebalance())
        self._rebalances.add(task)
        task.add_done_callback(self._rebalances.discard)
        await asyncio.shield(task)

    def forget(self, topic: str) -> None:
        """Drop the commits of a topic that was deleted."""
        self.committed = {tp: offset for tp, offset in self.committed.items() if tp.topic != topic}

    async def _rebalance(self) -> None:
        async with self._lock:
            members = sorted(self.members, key=lambda member: member.together)
            for member in members:
                await member.give_up()
            self.generation += 1
            shares = range_assignment([member.topics for member in members], self._partitions)
            for member, tps in zip(members, shares, strict=True):
                if member in self.members:
                    await member.take_over({tp: self.committed.get(tp, self._low(tp)) for tp in sorted(tps)}, self.generation)


def range_assignment(subscriptions: list[tuple[str, ...]], partitions: Callable[[str], int]) -> list[frozenset[TP]]:
    """Give each member a contiguous range of each topic's partitions; the first ones get one more when it does not go even."""
    shares: list[set[TP]] = [set() for _ in subscriptions]
    for topic in sorted(_names(subscriptions)):
        takers = [i for i, topics in enumerate(subscriptions) if topic in topics]
        each, extra = divmod(partitions(topic), len(takers))
        start = 0
        for position, i in enumerate(takers):
            end = start + each + (position < extra)
            shares[i].update(TP(topic, p) for p in range(start, end))
            start = end
    return [frozenset(share) for share in shares]


def _names(subscriptions: Iterable[tuple[str, ...]]) -> set[str]:
    return {topic for topics in subscriptions for topic in topics}
