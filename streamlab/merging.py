"""Several streams read as one: their values in the order of their timestamps."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from streamlab.arrivals import Arrival
from streamlab.queues import Bell
from streamlab.sides import Side

if TYPE_CHECKING:
    from streamlab.failures import ErrorLog
    from streamlab.runtime.acks import AckStore
    from streamlab.streams import Stream

__all__ = ["Merge", "inputs_of"]

LOOK_S = 0.02
"""While others wait for a node that is behind, so often it is asked whether it still is."""


class Merge:
    """Reads nodes ahead, and gives their values in the order of their timestamps.

    A partition is waited for while more of it is known to come, or its end is not known yet.

    Parameters
    ----------
    nodes : list of Stream
    bell : Bell
        Rung when there is something new.
    max_idle : float
        How long an input that is at its end may hold the others back, in seconds.
    keep_going : bool
        What fails in a node goes to its errors, and the reading goes on.
    errors : ErrorLog, optional
        Gets what fails in a node too.
    """

    def __init__(
        self,
        nodes: Sequence[Stream[Any]],
        bell: Bell,
        *,
        max_idle: float = 0.0,
        keep_going: bool = False,
        errors: ErrorLog | None = None,
    ) -> None:
        self.nodes = nodes
        self.stores: set[AckStore] = set()
        """Where records are acked that were read."""
        self._bell = bell
        self._max_idle = max_idle
        self._news = True
        self._look_s: float | None = None
        self._revoked: set[AckStore] = set()
        self._sides = [Side(self, number, node, keep_going=keep_going, errors=errors) for number, node in enumerate(nodes)]

    def tell(self) -> None:
        """Say that there is something new."""
        self._news = True
        self._bell.ring()

    def look_up(self) -> None:
        """See whether a partition was revoked; from any thread."""
        if any(store.closed for store in tuple(self.stores)):
            self.tell()

    def take(self, share: int) -> list[Arrival] | None:
        """Return the next values, ``share`` of each input at most; [] when there are none now, None when all nodes are over.

        Raises what a node raised, after what came before it.
        """
        self._news, self._look_s = False, None
        self._forget_revoked()
        self._raise_failure()
        if not any(side.buffered for side in self._sides):
            return None if all(side.over for side in self._sides) else []
        holding = [side for side in self._sides if side.has_to_wait(self._max_idle) and side.read_farther()]
        if holding:
            self._look_s = LOOK_S
            return []
        return self._merged(share)

    def _raise_failure(self) -> None:
        for side in self._sides:
            if side.failure is not None and not side.buffered:
                failure, side.failure = side.failure, None
                raise failure

    def _merged(self, share: int) -> list[Arrival]:
        """Take out of the inputs what comes first: up to where one of them would be empty that may have more."""
        found = [(side, one) for side in self._sides for one in side.inputs.values() if one.arrivals]
        found.sort(key=lambda pair: not pair[1].is_timed)
        last = min((one.times[min(len(one.times), share) - 1], rank) for rank, (_, one) in enumerate(found))
        merged: list[Arrival] = []
        times: list[float] = []
        for rank, (side, one) in enumerate(found):
            until = bisect_right if rank <= last[1] else bisect_left
            count = until(one.times, last[0], hi=min(len(one.times), share))
            merged += one.arrivals[:count]
            times += one.times[:count]
            one.drop(count)
            side.handed_out(count)
        if len(found) == 1:
            return merged
        return [merged[index] for index in sorted(range(len(merged)), key=times.__getitem__)]

    async def wait(self, wanted: Callable[[], bool], timeout_s: float | None) -> None:
        """Wait until something is new while that is wanted, or there is reason to look again; at most ``timeout_s``."""
        timeouts = [seconds for seconds in (timeout_s, self._look_s) if seconds is not None]
        await self._bell.wait(lambda: self._news or not wanted(), timeout_s=min(timeouts, default=None))

    @property
    def is_behind(self) -> bool:
        """Whether more is known to come."""
        return any(side.buffered or side.behind() for side in self._sides)

    def _forget_revoked(self) -> None:
        closed = {store for store in self.stores if store.closed}
        if closed:
            self.stores -= closed
            self._revoked |= closed
            for side in self._sides:
                side.handed_out(sum(one.keep(lambda arrival: not arrival.is_lost()) for one in side.inputs.values()))

    def take_revoked(self) -> set[AckStore]:
        """Return where the records of partitions would have been acked that were revoked since the last call."""
        revoked, self._revoked = self._revoked, set()
        return revoked

    def give_back(self, arrivals: Iterable[Arrival]) -> None:
        """Make what was taken, and is not acked, the next values of the nodes that it came from."""
        arrivals = list(arrivals)
        for side in self._sides:
            side.give_back([arrival for arrival in arrivals if arrival.side == side.number])

    async def aclose(self) -> None:
        """End the reading; what was not taken goes back to the nodes."""
        await asyncio.gather(*(side.close() for side in self._sides))


def inputs_of(stream: Stream[Any]) -> list[Stream[Any]]:
    """Return what a combined stream reads: its origin and its nodes, each once, and what they combine in place of them.

    One among them that has processors of its own is read itself, instead of what it combines.
    """
    found: dict[int, Stream[Any]] = {}
    covered: set[int] = set()
    for node in [stream._origin, *stream.combined]:
        if not hasattr(node, "get_root_stream"):
            continue  # no origin, or a table
        if _is_plain(node):
            found |= {id(inner): inner for inner in inputs_of(node)}
            continue
        found[id(node)] = node
        covered |= _covered(node)
    return [node for node in found.values() if id(node) not in covered]


def _is_plain(node: Stream[Any]) -> bool:
    return bool(node.combined) and node.join_strategy is None and not len(node.processors) and node._source.is_merge


def _covered(node: Stream[Any]) -> set[int]:
    inner = inputs_of(node) if node.combined else []
    return {id(one) for one in inner}.union(*map(_covered, inner))
