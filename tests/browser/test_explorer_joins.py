"""Explorers of streams that are made of others: a join and windows, run, looked at, paused and stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.explorer import Notebook

TOPICS = """
import uuid
import streamlab as sl
app = sl.App("joins", broker=f"memory://{uuid.uuid4().hex}")
orders, payments = app.topic("orders", partitions=1), app.topic("payments", partitions=1)
for number in range(4):
    await orders.send(key=str(number), value={"id": number}, timestamp=1000.0 + number)
await payments.send(key="2", value={"paid": "card"}, timestamp=1004.0)
await orders.send(key="9", value={"id": 9}, timestamp=1100.0)
"""
JOINED = """
joined = (orders.stream(start="earliest") & payments.stream(start="earliest")).left_join(within=10)
joined
"""


def test_a_joined_stream_shows_both_sides_and_runs(book: Notebook) -> None:
    book.run(TOPICS)
    explorer = book.show(JOINED)
    explorer.expect_state("live")
    explorer.expect_column("right.paid", "texts.includes('card')")
    expect(explorer.pipeline).to_contain_text("LeftJoin on the key within 10 s")
    expect(explorer.pipeline).to_contain_text("1 matched \u00b7 3 unmatched")
    panel = explorer.open_message("card")
    for text in ("orders [0] 2", "payments [0] 0", "a row of a join"):
        expect(panel).to_contain_text(text)
    explorer.tab("Graph").click()
    expect(explorer.root.locator("svg").filter(has_text="LeftJoin on the key")).to_be_visible()
    explorer.press("Pause")
    explorer.expect_state("paused")
    book.run("await payments.send(key='9', value={'paid': 'cash'}, timestamp=1101.0)")
    explorer.press("Run")
    explorer.expect_state("live")
    explorer.tab("Messages").click()
    explorer.expect_column("right.paid", "texts.includes('cash')")
    book.run("await orders.send(key='0', value={'id': 0}, timestamp=1002.0)")
    expect(explorer.pipeline).to_contain_text("2 buffered \u00b7 2 matched \u00b7 3 unmatched \u00b7 1 late")
    explorer.press("Stop")
    explorer.expect_state("stopped")


def test_windows_show_their_rows_and_stop(book: Notebook) -> None:
    book.run(TOPICS)
    explorer = book.show("windows = orders.stream(start='earliest').tumbling(10, by=()).count()\nwindows")
    explorer.expect_state("live")
    explorer.expect_column("count", "texts.length === 1 && texts[0] === '4'")
    expect(explorer.pipeline).to_contain_text("tumbling(10, by=()) count()")
    expect(explorer.pipeline).to_contain_text("1 open window  \u00b7 1 emitted")
    explorer.press("Stop")
    explorer.expect_state("stopped")
    explorer.expect_column("count", "texts.join() === '4,1'")
