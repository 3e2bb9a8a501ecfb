"""What of a partition was handed out, and what of that is done."""

from __future__ import annotations

from streamlab.events import TP

__all__ = ["AckStore"]


class AckStore:
    """The acks of one partition in one generation of a consumer group.

    The reader's thread delivers and acks, the I/O thread asks what to commit; single dictionary operations and plain
    assignments are all that they share, so there is no lock in the path of an event. After a rebalance there is
    a new store: a late ack lands in the old one, which is ``closed``, and nobody asks that one.
    """

    __slots__ = ("_delivered", "_unacked", "_withdrawn", "closed", "generation", "tp")

    def __init__(self, tp: TP, generation: int = 0, *, closed: bool = False) -> None:
        self.tp = tp
        self.generation = generation
        self.closed = closed
        self._delivered: int | None = None  # the offset after what was handed out
        self._unacked: dict[int, None] = {}  # in the order of delivery
        self._withdrawn: int | None = None  # the first offset that was taken back

    def deliver(self, offset: int) -> None:
        """Say that the record was handed out; offsets come in order."""
        self._unacked[offset] = None  # before the other, or a commit in between would pass it
        self._delivered = offset + 1

    def ack(self, offset: int) -> None:
        """Say that the record is done; in any order, harmless when repeated."""
        self._unacked.pop(offset, None)

    def withdraw(self, offset: int) -> bool:
        """Take back a delivery that is not acked: nobody acks it any more, and it is not committed. False when it is acked."""
        if offset not in self._unacked:
            return False
        if self._withdrawn is None or offset < self._withdrawn:
            self._withdrawn = offset  # before the other, or a commit in between would pass it
        self._unacked.pop(offset, None)
        return True

    def finish(self, next_offset: int) -> None:
        """Say that a batch was walked to its end: holes and markers up to there need no ack."""
        self._delivered = next_offset

    @property
    def unacked(self) -> int:
        """How many records were handed out and are not done."""
        return len(self._unacked)

    @property
    def committable(self) -> int | None:
        """The offset to commit: nothing at or after it is done without everything before it; None before the first delivery."""
        delivered = self._delivered  # before the other: what is delivered from now on is only committed next time
        while True:
            try:
                first = next(iter(self._unacked), delivered)
            except RuntimeError:  # the reader's thread changed it
                continue
            withdrawn = self._withdrawn  # after the others, see withdraw
            return first if withdrawn is None or first is None else min(first, withdrawn)
