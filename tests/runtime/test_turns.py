"""How often all streams together take what little has come."""

from __future__ import annotations

import pytest

from streamlab.runtime import pump
from streamlab.runtime.turns import Turns
from tests.runtime.conftest import MakeFeed
from tests.runtime.reading import Consumer, FailingBroker, send


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now_s = 10.0

    def __call__(self) -> float:
        return self.now_s


def test_who_comes_seldom_goes_on_at_once() -> None:
    clock = Clock()
    turns = Turns(100, clock=clock)
    waits = []
    for _ in range(5):
        waits.append(turns.take())
        clock.now_s += 0.02
    assert waits == [0.0] * 5


def test_of_many_each_waits_for_those_before_it() -> None:
    clock = Clock()
    turns = Turns(100, clock=clock)
    assert [turns.take() for _ in range(4)] == pytest.approx([0.0, 0.01, 0.02, 0.03])
    clock.now_s += 1.0  # nobody came for a while: what was not taken is not kept
    assert [turns.take() for _ in range(2)] == pytest.approx([0.0, 0.01])


class Counting(Turns):
    """Gives a turn at once, and counts them."""

    count = 0

    def take(self) -> float:
        self.count += 1
        return 0.0


@pytest.mark.parametrize(("letters", "little"), [("abc", True), ("a" * 1000, False)])
async def test_after_a_fetch_that_brought_little_a_feed_takes_its_turn(
    broker: FailingBroker, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch, letters: str, little: bool
) -> None:
    turns = Counting()
    monkeypatch.setattr(pump, "turns", turns)
    monkeypatch.setattr(pump, "LITTLE", 500)
    await send(broker, "orders", letters)
    reading = feed(start="earliest", stop="end")
    await Consumer(reading).to_end()
    assert (turns.count > 0) is little
