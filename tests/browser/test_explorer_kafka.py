"""The explorer on real Kafka, and what the broker sees of it when kernels end."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest
from confluent_kafka import KafkaException
from playwright.sync_api import expect

from tests.browser.explorer import Explorer, notebook_in
from tests.kafka.client import members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser.explorer import Notebook
    from tests.kafka.harness import KafkaCluster

GROUP = "explorers"
LIMIT_S = 15.0
FILLED = """
import asyncio, uuid
import streamlab as sl
app = sl.App("kafka", broker=URL)
orders = app.topic(f"orders-{uuid.uuid4().hex[:8]}", partitions=2)
await orders.declare()
async def fill(first, count):
    for i in range(first, first + count):
        await orders.send(key=f"a{i}", value={"id": 9007199254740993 + i, "amount": i}, partition=i % 2,
                          timestamp=1_700_000_000 + i, headers=[("trace", b"1"), ("trace", b"2")])
await fill(0, 300)
s = orders.stream(start="earliest")
@s.processor
def double(order):
    order["total"] = order["amount"] * 2
    return order
s
"""


@pytest.fixture(scope="module")
def book(lab: tuple[Path, str], chromium: str, kafka: KafkaCluster) -> Iterator[Notebook]:
    with notebook_in(*lab, chromium) as notebook:
        notebook.run(f"URL = {kafka.url!r}")
        yield notebook


@pytest.fixture(scope="module")
def explorer(book: Notebook) -> Explorer:
    explorer = book.show(FILLED)
    expect(explorer.status).to_contain_text("window 300 of 300")
    return explorer


def expect_members(kafka: KafkaCluster, count: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    found = -1
    while found != count:
        assert time.monotonic() < deadline, f"{found} members, not {count}"
        # A group that is new has no coordinator for a moment.
        with suppress(KafkaException):
            found = members(kafka.bootstrap, GROUP)


def connections(pid: int, kafka: KafkaCluster) -> int:
    """Count the sockets that a kernel has open to the broker."""
    ports = {int(address.rsplit(":", 1)[1]) for address in kafka.bootstrap.split(",")}
    return sum(bool(one.raddr) and one.raddr.port in ports for one in psutil.Process(pid).net_connections("tcp"))


def test_messages_are_shown_with_key_headers_and_times(explorer: Explorer) -> None:
    assert set(explorer.expect_column("partition", "texts.length > 0")) <= {"0", "1"}
    explorer.filter.fill("amount == 7")
    explorer.expect_column("id", "texts.join() === '9007199254741000'")
    panel = explorer.open_message("a7")
    expect(panel.locator("dl.sl-facts").first).to_contain_text("2023-11-14 22:13:27.000 UTC, set by the producer")
    assert panel.get_by_role("table", name="Headers").get_by_role("cell").all_inner_texts() == ["1", "2"]
    expect(panel.get_by_role("tree", name="Value")).to_contain_text("14")
    explorer.filter.fill("")
    explorer.inspector.get_by_role("button", name="Close").click()


def test_pause_stop_and_restart(book: Notebook, explorer: Explorer) -> None:
    explorer.press("Pause")
    explorer.expect_state("paused")
    book.run("await fill(300, 10)")
    assert book.ask("s.events_total") == 300
    explorer.press("Run")
    explorer.expect_state("live")
    expect(explorer.status).to_contain_text("window 310 of 310")
    explorer.press("Stop")
    explorer.expect_state("stopped")
    book.run("await fill(310, 10)")
    explorer.root.scroll_into_view_if_needed()
    explorer.press("Restart")
    explorer.expect_state("live")
    expect(explorer.status).to_contain_text("window 320 of 320")
    expect(explorer.root.locator(".sl-lag")).to_have_text("lag 0")


def test_as_a_member_of_a_group_it_survives_a_pause_and_leaves_when_it_is_stopped(
    book: Notebook, explorer: Explorer, kafka: KafkaCluster
) -> None:
    explorer.press("More")
    dialog = explorer.root.get_by_role("dialog", name="Start position, mode and window")
    dialog.get_by_label("Group", exact=True).fill(GROUP)
    dialog.get_by_role("button", name="Restart", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(explorer.root.locator(".sl-mode")).to_contain_text(f"group={GROUP}")
    explorer.expect_state("live")
    expect_members(kafka, 1)
    explorer.press("Pause")
    explorer.expect_state("paused")
    expect_members(kafka, 1)
    explorer.press("Stop")
    explorer.expect_state("stopped")
    expect_members(kafka, 0)
    explorer.press("Restart")
    explorer.expect_state("live")
    expect_members(kafka, 1)


def test_interrupt_leaves_the_member_and_restart_of_the_kernel_leaves_nothing(
    book: Notebook, explorer: Explorer, kafka: KafkaCluster
) -> None:
    cell = book.start_sleeping()
    book.interrupt()
    expect(cell).to_contain_text("KeyboardInterrupt")
    explorer.expect_state("live")
    expect_members(kafka, 1)
    pid = book.ask("__import__('os').getpid()")
    assert connections(pid, kafka) > 0
    book.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    expect_members(kafka, 0)
    assert not psutil.pid_exists(pid)
    again = book.show(f"URL = {kafka.url!r}\n{FILLED}")
    expect(again.status).to_contain_text("window 300 of 300")


def test_stopping_all_closes_the_sockets(book: Notebook, kafka: KafkaCluster) -> None:
    pid = book.ask("__import__('os').getpid()")
    book.run("sl.running().stop()")
    book.wait_for("len(sl.running()) == 0")
    book.run("await app.aclose()")
    deadline = time.monotonic() + LIMIT_S
    while connections(pid, kafka):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    explorer = Explorer(book.page.locator(".sl-root").last)
    explorer.expect_state("stopped")
    expect(explorer.state).to_have_text(re.compile("stopped"))
