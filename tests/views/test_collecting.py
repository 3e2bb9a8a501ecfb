"""Full passes of the garbage collector while windows are full."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import streamlab as sl
from streamlab.baskets import Basket
from streamlab.views.collecting import MOST, RarePasses
from streamlab.views.scheduler import Scheduler
from streamlab.views.window import Window
from tests.streaming import until

USUAL = (700, 10, 10)
LIMIT_S = 5.0


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    gc.collect()  # what other tests showed is held by nobody; the thread that served it ends soon
    ends = time.monotonic() + LIMIT_S
    while any(isinstance(getattr(called, "__self__", None), RarePasses) for called in gc.callbacks):
        assert time.monotonic() < ends, "another test left an explorer open: close() it there"
        time.sleep(0.01)
    before = gc.get_threshold()
    gc.set_threshold(*USUAL)
    gc.freeze()  # how often there is a full pass depends on how much there is: of the test's own alone, here
    gc.collect()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@contextmanager
def counted() -> Iterator[list[int]]:
    """Count full passes."""
    passes: list[int] = []

    def passed(phase: str, info: dict[str, Any]) -> None:
        if phase == "stop" and info["generation"] == 2:
            passes.append(info["collected"])

    gc.callbacks.append(passed)
    yield passes
    gc.callbacks.remove(passed)


def cycle() -> list[Any]:
    """Return what only the collector can free."""
    itself: list[Any] = []
    itself.append(itself)
    return itself


def slide(messages: int) -> int:
    """Let so many nested values go through a window; how many full passes there were."""
    window = Window(max_messages=20_000)
    gc.collect()
    with counted() as passes:
        for _ in range(messages // 1000):
            window.append(Basket.of_values([{"id": n, "user": {"id": n, "tags": ["a", "b"]}} for n in range(1000)]))
        return len(passes)


def test_a_window_of_nested_values_is_passed_over_rarely() -> None:
    before = slide(600_000)
    with RarePasses():
        assert slide(600_000) < before / 2
    assert gc.get_threshold() == USUAL


def test_passes_that_find_nothing_become_rarer_and_one_that_finds_much_brings_them_back() -> None:
    with RarePasses():
        factors = []
        for _ in range(10):
            gc.collect()
            factors.append(gc.get_threshold()[2] // USUAL[2])
        assert factors == [2, 4, 8, 16, 32, 64, *[MOST] * 4]
        held = [cycle() for _ in range(400_000)]
        held.clear()
        gc.collect()
        assert gc.get_threshold() == USUAL


def test_thresholds_that_the_user_sets_are_left_alone() -> None:
    with RarePasses():
        gc.collect()
        gc.set_threshold(1000, 20, 30)
        gc.collect()
        assert gc.get_threshold() == (1000, 20, 30)
    assert gc.get_threshold() == (1000, 20, 30)


async def test_it_holds_while_anything_is_shown(app: sl.App) -> None:
    class Shown:
        def prepare(self, now_s: float) -> None:
            if gc.get_threshold() == USUAL:
                gc.collect()

        def due(self, now_s: float) -> list[str]:
            return []

        def show(self, view: str, now_s: float) -> int:
            raise AssertionError(view)

    scheduler, shown = Scheduler(), Shown()
    scheduler.add(shown)
    await until(lambda: gc.get_threshold() != USUAL)
    scheduler.remove(shown)
    await until(lambda: gc.get_threshold() == USUAL)
    scheduler.end()
