"""Fixtures for all tests: real Kafka, a browser, fresh names, and what a test leaves behind."""

from __future__ import annotations

import os
import signal
import uuid
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests import leaks
from tests.browser import chromium as browser
from tests.kafka import harness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping

    from streamlab import App

# How long one example takes says nothing on a machine that others use too.
hypothesis.settings.register_profile("unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("unhurried")

# A shell has what it runs in the background ignore Ctrl+C, and children inherit that: programs that tests interrupt too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

FIXTURES = {"kafka": ("kafka", "own_kafka"), "browser": ("chromium",)}
MISSING: dict[str, Callable[[], str | None]] = {"kafka": harness.missing, "browser": browser.missing}
IN_CI = bool(os.environ.get("CI"))

MARKED = "with the marker"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    for item in items:
        for marker, fixtures in FIXTURES.items():
            if set(fixtures) & set(getattr(item, "fixturenames", ())):
                item.add_marker(marker)
    yield
    # Only now: what -m or -k took out shall download nothing. In CI the fixtures fail instead.
    if not IN_CI:
        for item in items:
            _skip_without(item)


def _skip_without(item: pytest.Item) -> None:
    for marker, missing in MISSING.items():
        if item.get_closest_marker(marker) and (reason := missing()):
            item.add_marker(pytest.mark.skip(reason=f"{MARKED} {marker}: {reason}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # From the reports: with several workers, what collects is not what sums up.
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.stats.get("skipped", ()))
    for reason, count in reasons.items():
        if reason.startswith(MARKED):
            terminalreporter.write_line(f"SKIPPED: {count} tests {reason}", yellow=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.workers import ByWhatTheyShare

    return ByWhatTheyShare(config, log)


@pytest.fixture(scope="session")
def kafka() -> Iterator[harness.KafkaCluster]:
    """One node that all tests share: leave it as it is, and use names of your own."""
    with harness.running() as cluster:
        yield cluster


@pytest.fixture
def own_kafka() -> Iterator[Callable[..., harness.KafkaCluster]]:
    """Start clusters of the test's own, to be killed, frozen or configured: ``own_kafka(nodes=3, settings={...})``."""
    with ExitStack() as stack:

        def start(nodes: int = 1, settings: Mapping[str, str] | None = None) -> harness.KafkaCluster:
            return stack.enter_context(harness.running(nodes, settings))

        yield start


@pytest.fixture
async def app() -> AsyncIterator[App]:
    """An app of the test's own on an embedded broker of its own."""
    from streamlab import App

    name = f"app-{uuid.uuid4().hex[:12]}"
    async with App(name, broker=f"memory://{name}") as app:
        yield app


@pytest.fixture
def topic_name() -> str:
    """A name that no other test uses."""
    return f"topic-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a browser; start it with ``tests.browser.chromium.ARGUMENTS``."""
    path = browser.find()
    if path is None:
        pytest.fail(browser.missing() or "")
    return path


@pytest.fixture
async def no_leaks() -> AsyncIterator[None]:
    """Fail the test when threads, tasks or sockets outlive it. Ask for it before what opens things."""
    before = await leaks.look()
    yield
    assert await leaks.wait_for_none(before) == []
