"""The explorer's errors: listed, with their tracebacks, and put through the stream again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.explorer import Explorer, Notebook

STREAM = """
raw = app.topic("raw", partitions=1)
for i in range(3):
    await raw.send(key=f"k{i}", value={"price": None if i else 5}, headers=[("trace", b"abc")])
client = app.client
s = raw.stream(start="earliest")
@s.processor
def taxed(order):
    order["taxed"] = order["price"] * 2
    return order
s
"""
MENDED = """
@s.processor
def taxed(order):
    order["taxed"] = (order["price"] or 0) * 2
    return order
"""


@pytest.fixture(scope="module")
def explorer(book: Notebook) -> Explorer:
    explorer = book.show(STREAM)
    explorer.tab("Errors").click()
    return explorer


@pytest.fixture
def errors(explorer: Explorer) -> Locator:
    explorer.root.scroll_into_view_if_needed()
    return explorer.root.get_by_role("list", name="Errors").get_by_role("listitem")


def test_each_error_is_listed_newest_first(explorer: Explorer, errors: Locator) -> None:
    expect(errors).to_have_count(2)
    expect(errors.first).to_contain_text("raw [0] 2")
    expect(errors.first).to_contain_text("taxed")
    expect(errors.first).to_contain_text("TypeError")
    expect(explorer.tab("Errors")).to_have_text("Errors 2")
    expect(explorer.node("taxed")).to_contain_text("2 errors")


def test_an_error_opens_to_its_traceback_and_record(explorer: Explorer, errors: Locator) -> None:
    errors.first.get_by_role("button").first.click()
    traceback = errors.first.get_by_label("Traceback")
    expect(traceback).to_contain_text('order["taxed"] = order["price"] * 2')
    expect(traceback).to_contain_text("TypeError: unsupported operand")
    expect(traceback).not_to_contain_text("streamlab/")
    expect(errors.first).to_contain_text("header trace: abc")
    expect(errors.first.get_by_label("Value", exact=True).first).to_contain_text('{"price":null}')
    errors.first.get_by_role("button", name="Open taxed").click()
    panel = explorer.root.get_by_role("region", name="Processor taxed")
    expect(panel).to_be_visible()
    panel.get_by_role("button", name="Close").click()


def test_selected_errors_are_retried_after_the_processor_was_mended(book: Notebook, explorer: Explorer, errors: Locator) -> None:
    retry = explorer.root.locator(".sl-errorbar").get_by_role("button")
    expect(retry).to_be_disabled()
    book.run(MENDED)
    explorer.root.scroll_into_view_if_needed()
    errors.last.get_by_role("checkbox").check()
    expect(retry).to_have_text("Retry 1 selected")
    retry.click()
    expect(explorer.notice).to_contain_text("1 record put through the stream again.")
    expect(errors).to_have_count(1)
    expect(explorer.status).to_contain_text("window 2 of 2")
    explorer.root.get_by_label("Select all that are shown").check()
    retry.click()
    expect(errors).to_have_count(0)
    expect(explorer.status).to_contain_text("window 3 of 3")
    explorer.tab("Messages").click()
    explorer.expect_column("taxed", "texts.join() === '10,0,0'")
    assert book.ask("len(s.errors)") == 0


def test_records_that_cannot_be_decoded_are_listed(book: Notebook) -> None:
    explorer = book.show(
        "broken = app.topic('broken', value_serializer='json', partitions=1)\n"
        "plain = app.topic('broken', value_serializer='raw')\n"
        "for value in (b'{\"a\": 1}', b'{\"a\": ', b'\\xff<script>'):\n    await plain.send(value=value)\n"
        "b = broken.stream(start='earliest')\nb"
    )
    expect(explorer.root.locator(".sl-badge")).to_have_text("2 errors")
    explorer.root.locator(".sl-badge").click()
    errors = explorer.root.get_by_role("list", name="Errors").get_by_role("listitem")
    expect(errors).to_have_count(2)
    expect(errors.first).to_contain_text("decoding")
    errors.first.get_by_role("button").first.click()
    expect(errors.first.get_by_label("Value", exact=True)).to_contain_text("ff")
