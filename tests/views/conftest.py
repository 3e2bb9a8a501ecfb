"""Explorers that are closed, and a notebook's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import streamlab as sl
from streamlab.views import editing
from streamlab.views.scheduler import scheduler
from tests.views.exploring import Browser


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no thread make passes: the tests do. ``Scheduler.add(scheduler, explorer)`` has the thread do it after all."""
    monkeypatch.setattr(scheduler, "add", lambda _: None)


Explore = Callable[..., Browser]


@pytest.fixture
def explore() -> Iterator[Explore]:
    """Explore a stream without a browser: ``explore(stream, views=("a",), rows=5, messages=...)``."""
    browsers: list[Browser] = []

    def start(stream: sl.Stream[Any], *, views: Any = ("a",), rows: int = 5, **bounds: int) -> Browser:
        browsers.append(Browser(stream.explore(**bounds), views, rows=rows))
        return browsers[-1]

    yield start
    for browser in browsers:
        browser.explorer.close()


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that cells have."""
    names: dict[str, Any] = {}
    monkeypatch.setattr(editing, "_user_namespace", lambda: names)
    return names
