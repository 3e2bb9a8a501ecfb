"""What messages hold is shown as text, whatever it is, and nothing of it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.explorer import Explorer, Notebook

EVIL = "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>"
STREAM = f"""
EVIL = {EVIL!r}
evil = app.topic("evil", partitions=1)
await evil.send(key=EVIL, value={{"text": EVIL, EVIL: EVIL, "nested": {{EVIL: [EVIL]}}}}, headers=[(EVIL, EVIL.encode())])
await evil.send(key="emoji", value={{"text": "\\U0001f600 \\U0001f469\\u200d\\U0001f469\\u200d\\U0001f466"}})
await evil.send(key="rtl", value={{"text": "\\u0645\\u0631\\u062d\\u0628\\u0627 \\u202eevil"}})
await evil.send(key="formula", value={{"text": "=HYPERLINK(\\"http://x\\")"}})
await evil.send(key="lines", value={{"text": "one\\ntwo\\x00\\x1b[31m"}})
s = evil.stream(start="earliest")
@s.processor(name=EVIL)
def passes(value):
    if value["text"] == EVIL:
        raise ValueError(EVIL)
    return value
s.processors.disable(EVIL)
s
"""
WIDE = """
wide = app.topic("wide", partitions=1)
for i in range(50):
    await wide.send(value={f"column {n}": f"{i}/{n}" for n in range(500)})
w = wide.stream(start="earliest")
w
"""
WIDER = """
wider = app.topic("wider", partitions=1)
await wider.send(value={f"column {n}": n for n in range(2500)})
wider.stream(start="earliest")
"""
HUGE = """
huge = app.topic("huge", partitions=1)
await huge.send(key="deep", value=eval("[" * 90 + "1" + "]" * 90))
await huge.send(key="text", value="<b>" + "z" * 10_000_000)
await huge.send(key="many", value={"list": list(range(1_000_000))})
h = huge.stream(start="earliest")
h
"""
PWNED = "() => window.pwned"


@pytest.fixture(scope="module")
def explorer(book: Notebook) -> Explorer:
    explorer = book.show(STREAM)
    expect(explorer.status).to_contain_text("window 5 of 5")
    explorer.expect_column("text", "texts.length === 5")
    return explorer


def test_markup_in_values_keys_and_headers_is_text(explorer: Explorer) -> None:
    assert explorer.column("text")[0] == EVIL
    assert explorer.column("key")[0] == EVIL
    assert explorer.column(EVIL)[0] == EVIL
    panel = explorer.open_message("emoji")
    explorer.rows.first.locator(".sl-cell").nth(1).click()
    panel = explorer.root.get_by_role("region", name="Message")
    expect(panel.locator("h4")).to_have_text("Offset 0")
    expect(panel.get_by_role("tree", name="Value")).to_contain_text(f'"{EVIL}"')
    expect(panel.get_by_role("table", name="Headers")).to_contain_text(EVIL)
    panel.get_by_role("tab", name="Text").click()
    expect(panel.locator("pre").first).to_contain_text("<script>window.pwned")
    assert explorer.root.locator("script, img").count() == 0
    assert explorer.page.evaluate(PWNED) is None


def test_markup_in_names_of_processors_errors_and_the_graph_is_text(book: Notebook, explorer: Explorer) -> None:
    expect(explorer.pipeline).to_contain_text("<script>")
    book.run("s.processors.enable(EVIL)\nawait evil.send(key='k', value={'text': EVIL})")
    explorer.root.scroll_into_view_if_needed()
    explorer.tab("Errors").click()
    errors = explorer.root.get_by_role("list", name="Errors").get_by_role("listitem")
    expect(errors.first).to_contain_text("<script>")
    errors.first.get_by_role("button").first.click()
    expect(errors.first.get_by_label("Traceback")).to_contain_text("<script>")
    explorer.tab("Graph").click()
    expect(explorer.root.locator("svg g.node").last).to_contain_text("<script>")
    explorer.tab("Messages").click()
    assert explorer.root.locator("script, img").count() == 0
    assert explorer.page.evaluate(PWNED) is None


def test_emoji_right_to_left_and_formulas_are_shown_as_they_are(explorer: Explorer) -> None:
    texts = explorer.expect_column("text", "texts.length >= 5")
    assert texts[1] == "\U0001f600 \U0001f469\u200d\U0001f469\u200d\U0001f466"
    assert texts[2].startswith("\u0645\u0631\u062d\u0628\u0627")
    assert "\u202e" not in texts[2]
    assert texts[3] == '=HYPERLINK("http://x")'
    assert "\n" not in texts[4]
    cell = explorer.row("rtl").locator("[dir=auto]").last
    expect(cell).to_have_attribute("dir", "auto")


def test_the_snapshot_of_markup_is_text_too(book: Notebook, explorer: Explorer) -> None:
    pictures = book.ask(
        "__import__('streamlab.views.snapshot').views.snapshot.html_of("
        "__import__('streamlab.views.session').views.session.find(s))"
    )
    assert "&lt;script&gt;" in pictures
    assert "<script" not in pictures
    assert "<img" not in pictures


def test_500_columns_are_scrolled_through(book: Notebook) -> None:
    explorer = book.show(WIDE)
    expect(explorer.status).to_contain_text("window 50 of 50")
    assert explorer.expect_column("column 0", "texts.at(-1) === '49/0'")
    assert explorer.root.locator(".sl-colhead").count() < 60
    explorer.grid.evaluate("grid => { grid.scrollLeft = grid.scrollWidth; }")
    explorer.expect_column("column 499", "texts.at(-1) === '49/499'")
    explorer.press("Columns")
    dialog = explorer.root.get_by_role("dialog", name="Columns")
    dialog.get_by_placeholder("Search columns").fill("column 499")
    dialog.get_by_role("checkbox").uncheck()
    expect(explorer.root.locator(".sl-collabel", has_text="column 499")).to_have_count(0)


def test_it_is_said_that_values_have_more_fields_than_the_table_has_columns(book: Notebook) -> None:
    explorer = book.show(WIDER)
    expect(explorer.status).to_contain_text("window 1 of 1")
    explorer.press("First 2,000 columns")
    expect(explorer.root.get_by_role("dialog", name="Columns")).to_contain_text("more fields than these 2,000")
    explorer.page.keyboard.press("Escape")
    explorer.filter.fill("value['column 2400'] == 2400")
    expect(explorer.root.locator(".sl-found")).to_have_text("1 match")


def test_huge_and_deep_values_are_bounded(book: Notebook) -> None:
    explorer = book.show(HUGE)
    expect(explorer.status).to_contain_text("window 3 of 3")
    explorer.expect_column("key", "texts.join() === 'deep,text,many'")
    assert explorer.root.evaluate("root => root.textContent.length") < 20_000
    for key in ("deep", "many", "text"):
        panel = explorer.open_message(key)
        expect(panel.locator("dl.sl-facts").first).to_contain_text(f'"{key}"')
        assert panel.evaluate("panel => panel.textContent.length") < 60_000
        expect(panel.get_by_role("tree", name="Value")).to_be_visible()
    assert explorer.page.evaluate(PWNED) is None
