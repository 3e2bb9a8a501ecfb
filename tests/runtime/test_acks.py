from __future__ import annotations

import threading
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streamlab.events import TP
from streamlab.runtime.acks import AckStore

ORDERS = TP("orders", 0)


def test_nothing_is_committable_before_the_first_delivery() -> None:
    assert AckStore(ORDERS).committable is None


def test_what_is_delivered_and_not_acked_holds_the_commit_back() -> None:
    store = AckStore(ORDERS, 3)
    for offset in (5, 6, 7):
        store.deliver(offset)
    store.ack(6)
    store.ack(6)
    assert (store.committable, store.unacked, store.generation) == (5, 2, 3)
    store.ack(5)
    assert store.committable == 7
    store.ack(7)
    assert (store.committable, store.unacked) == (8, 0)


def test_a_batch_walked_to_its_end_commits_the_holes_after_its_last_record() -> None:
    store = AckStore(ORDERS)
    store.deliver(5)
    store.finish(9)
    assert store.committable == 5
    store.ack(5)
    assert store.committable == 9


def test_a_batch_without_records_is_done_when_it_was_walked() -> None:
    store = AckStore(ORDERS)
    store.finish(9)
    assert store.committable == 9


def test_what_is_delivered_while_a_commit_is_looked_up_is_not_in_it() -> None:
    class Racing(dict[int, None]):
        def __iter__(self) -> Iterator[int]:
            store.deliver(10)
            return iter(())

    store = AckStore(ORDERS)
    store.finish(10)
    store._unacked = Racing()
    assert store.committable == 10


def test_a_look_up_that_the_reader_interferes_with_is_made_again() -> None:
    class Changed(dict[int, None]):
        looked = 0

        def __iter__(self) -> Iterator[int]:
            self.looked += 1
            if self.looked == 1:
                raise RuntimeError("dictionary changed size during iteration")
            return super().__iter__()

    store = AckStore(ORDERS)
    store._unacked = Changed({7: None})
    assert store.committable == 7


def test_what_is_taken_back_is_not_waited_for_and_never_committed() -> None:
    store = AckStore(ORDERS)
    for offset in (5, 6, 7):
        store.deliver(offset)
    store.ack(5)
    assert [store.withdraw(offset) for offset in (5, 7, 6, 6)] == [False, True, True, False]
    store.finish(9)
    assert (store.committable, store.unacked) == (6, 0)


class Acking(RuleBasedStateMachine):
    """Delivery in order with holes, acks in any order: a commit never passes an unacked offset, and gets to the end."""

    def __init__(self) -> None:
        super().__init__()
        self.store = AckStore(ORDERS)
        self.next = 0
        self.unacked: set[int] = set()
        self.last = 0

    @rule(gap=st.integers(0, 3))
    def deliver(self, gap: int) -> None:
        offset = self.next + gap
        self.store.deliver(offset)
        self.unacked.add(offset)
        self.next = offset + 1

    @rule(gap=st.integers(0, 3))
    def finish(self, gap: int) -> None:
        self.next += gap
        self.store.finish(self.next)

    @rule(which=st.integers(0, 100))
    def ack(self, which: int) -> None:
        if self.unacked:
            offset = sorted(self.unacked)[which % len(self.unacked)]
            self.store.ack(offset)
            self.unacked.remove(offset)

    @invariant()
    def the_commit_is_right(self) -> None:
        at = self.store.committable
        if at is None:
            assert self.next == 0
            return
        assert at == min(self.unacked, default=self.next)
        assert at >= self.last
        self.last = at


TestAcking = Acking.TestCase
TestAcking.settings = settings(deadline=None, max_examples=50)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 2000))
def test_a_commit_from_another_thread_never_passes_an_unacked_offset(count: int) -> None:
    store, acked, wrong, over = AckStore(ORDERS), [-1], list[int](), threading.Event()

    def commit() -> None:
        while not over.is_set():
            at = store.committable
            if at is not None and at > acked[0] + 2:  # acked, and the one about to be
                wrong.append(at)

    committer = threading.Thread(target=commit)
    committer.start()
    for offset in range(count):
        store.deliver(offset)
        acked[0] = offset - 1
        store.ack(offset)
    over.set()
    committer.join()
    assert wrong == []
