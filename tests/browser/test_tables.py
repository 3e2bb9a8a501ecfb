"""A table in a notebook: shown alive, it changes as its topic does, whatever its values are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.explorer import RESTART, SUBSHELLS_COME_LATE

if TYPE_CHECKING:
    from tests.browser.explorer import Notebook

USERS = """
import uuid
import streamlab as sl
app = sl.App("tables", broker=f"memory://{uuid.uuid4().hex}")
users, logins = app.topic("users", compacting=True, partitions=2), app.topic("logins", partitions=1)
for topic in (users, logins): await topic.declare()
await users.send(key="ada", value={"name": "Ada", "plan": "gold"})
await users.send(key="bob", value={"name": "<img src=x onerror=document.title='broken'>", "plan": None})
table = app.table(users)
"""
GROWING = """
import asyncio, threading
async def grow():
    for i in range(1_000_000):
        await users.send(key="ada", value={"name": "Ada", "plan": i})
        await asyncio.sleep(0.1)
threading.Thread(target=lambda: asyncio.run(grow()), daemon=True).start()
"""


def test_a_table_is_alive(book: Notebook) -> None:
    book.run(USERS)
    cell = book.run("table")
    shown = cell.get_by_role("region", name="Table: users")
    expect(shown).to_contain_text("current")
    rows = shown.locator("tr")
    expect(rows.filter(has_text="ada")).to_contain_text("gold")
    expect(rows.filter(has_text="bob")).to_contain_text("<img src=x")
    assert shown.locator("img").count() == 0
    book.run("await users.send(key='ada', value={'name': 'Ada', 'plan': 'platinum'}); await users.send(key='bob', value=None)")
    expect(rows.filter(has_text="ada")).to_contain_text("platinum")
    expect(rows.filter(has_text="bob")).to_have_count(0)
    # Once more in another cell, and after a reload: both go on, and so does the table.
    again = book.run("app.table(users)").get_by_role("region", name="Table: users")
    book.run("await users.send(key='eve', value={'name': 'Eve', 'plan': 'tin'})")
    for view in (shown, again):
        expect(view.locator("tr").filter(has_text="eve")).to_contain_text("tin")
    book.command("docmanager:save")
    book.open()
    shown = book.page.get_by_role("region", name="Table: users").first
    expect(shown).to_contain_text("tin")
    book.run("await users.send(key='eve', value={'name': 'Eve', 'plan': 'zinc'})")
    expect(shown).to_contain_text("zinc")


def test_a_stream_joined_with_it_shows_both_sides_and_what_was_not_found(book: Notebook) -> None:
    book.run(USERS)
    explorer = book.show("joined = logins.stream(start='earliest').combine(table).left_join(lambda login: login['user'])\njoined")
    book.run("for user in ('ada', 'zoe'): await logins.send(key=user, value={'user': user})")
    explorer.expect_column("right.plan", "texts.includes('gold') && texts.length === 2")
    expect(explorer.pipeline).to_contain_text("logins & users")
    expect(explorer.pipeline).to_contain_text("1 matched \u00b7 1 unmatched")
    panel = explorer.open_message("gold")
    for text in ("ada", "Ada", "gold"):
        expect(panel).to_contain_text(text)
    explorer.tab("Graph").click()
    expect(explorer.root.locator("svg").filter(has_text="table users")).to_be_visible()
    explorer.press("Stop")
    explorer.expect_state("stopped")


def test_a_table_that_is_drawn_before_there_is_a_subshell_is_alive_while_the_next_cell_sleeps(book: Notebook) -> None:
    book.page.evaluate(RESTART)
    book.run(USERS + GROWING)
    book.page.evaluate(SUBSHELLS_COME_LATE)
    shows, sleeps = book.add("table"), book.add("import time\ntime.sleep(60)")
    book.start_from(shows)
    ada = book.cell(shows).get_by_role("region", name="Table: users").locator("tr").filter(has_text="ada")
    expect(book.cell(sleeps).locator(".jp-InputPrompt")).to_have_text("[*]:")
    for _ in range(3):
        expect(ada).not_to_have_text(ada.inner_text())
    book.interrupt()
    expect(book.cell(sleeps)).to_contain_text("KeyboardInterrupt")
    # A table without a kernel does not look alive.
    book.page.evaluate(RESTART)
    expect(book.cell(shows).get_by_role("status")).to_contain_text("run the cell again")
