"""Who gets a frame, and when."""

from __future__ import annotations

import logging

import pytest

from streamlab.views.scheduler import BYTES_PER_S, Budget, Scheduler


class Shower:
    """Views that are always due, with frames of one size."""

    def __init__(self, views: int, size: int) -> None:
        self.views = [str(number) for number in range(views)]
        self.size = size
        self.shown: list[str] = []
        self.prepared = 0

    def prepare(self, now_s: float) -> None:
        self.prepared += 1

    def due(self, now_s: float) -> list[str]:
        return self.views

    def show(self, view: str, now_s: float) -> int:
        self.shown.append(view)
        return self.size


class Failing(Shower):
    def show(self, view: str, now_s: float) -> int:
        raise ValueError("broken")


def test_all_views_get_a_frame_when_there_is_room() -> None:
    shower = Shower(3, 100)
    Scheduler(clock=lambda: 0.0).serve([shower])
    assert shower.shown == ["0", "1", "2"]
    assert shower.prepared == 1


def test_all_together_stay_below_the_budget_and_share_it_fairly() -> None:
    now = [0.0]
    scheduler = Scheduler(clock=lambda: now[0])
    showers = [Shower(5, 50_000) for _ in range(4)]
    for _ in range(100):
        now[0] += 0.1
        scheduler.serve(list(showers))
    sent = sum(len(shower.shown) for shower in showers) * 50_000
    assert 0.9 * BYTES_PER_S * 10 <= sent <= BYTES_PER_S * 10.6
    counts = [shower.shown.count(view) for shower in showers for view in shower.views]
    assert max(counts) - min(counts) <= 2


def test_one_that_fails_is_logged_and_does_not_take_the_others_along(caplog: pytest.LogCaptureFixture) -> None:
    failing, other = Failing(1, 1), Shower(1, 1)
    with caplog.at_level(logging.ERROR):
        Scheduler(clock=lambda: 0.0).serve([failing, other])
    assert other.shown == ["0"]
    assert "broken" in caplog.text


def test_a_large_frame_is_waited_for() -> None:
    budget = Budget(1000, now_s=0.0)
    budget.spend(2500)
    budget.refill(1.0)
    assert budget.is_spent
    budget.refill(2.1)
    assert not budget.is_spent


def test_what_is_not_sent_does_not_pile_up() -> None:
    budget = Budget(1000, now_s=0.0)
    budget.refill(1000.0)
    budget.spend(501)
    assert budget.is_spent


def test_the_thread_ends_with_the_last_one() -> None:
    scheduler = Scheduler()
    shower = Shower(1, 1)
    scheduler.add(shower)
    thread = scheduler._thread
    assert thread is not None
    assert thread.name == "streamlab-view"
    scheduler.remove(shower)
    thread.join(5)
    assert not thread.is_alive()


def test_one_that_the_garbage_collector_takes_away_while_another_comes_is_no_deadlock() -> None:
    scheduler = Scheduler()

    class Dying(Shower):
        def __del__(self) -> None:
            scheduler.remove(self)

    with scheduler._lock:  # as add has it when memory for the new one is what calls the collector
        Dying(1, 1)
    scheduler.add(shower := Shower(1, 1))
    scheduler.remove(shower)
    scheduler.end()
