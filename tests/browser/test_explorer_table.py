"""The explorer's table: following, freezing, scrolling, sorting, filtering, its columns, and the messages that it opens."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.explorer import clipboard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

    from tests.browser.explorer import Explorer, Notebook

MANY = """
many = app.topic("many", partitions=1)
for i in range(20_000):
    await many.send(value={"n": i}, timestamp=1_700_000_000 + i)
m = many.stream(start="earliest")
m
"""
SPECIAL = """
special = app.topic("special", partitions=1)
await special.send(key="one", value={"text": "plain", "list": [1, 2], "deep": {"a": {"b": 7}}, "none": None, "f": 0.1},
                   headers=[("trace", b"first"), ("trace", b"second"), ("bytes", b"\\xff\\x00")])
await special.send(key="large", value={"text": "y" * 30_000})
await special.send(key="huge", value={"text": "z" * 10_000_000})
await special.send(key="gone", value=None)
x = special.stream(start="earliest")
x
"""
SLIDING = """
sliding = app.topic("sliding", partitions=1)
async def slide(first, count):
    for i in range(first, first + count):
        await sliding.send(value={"n": i})
await slide(0, 300)
w = sliding.stream(start="earliest")
w.explore(messages=200)
"""
BIG = 9007199254740993
OVERLAP = """
(root, [one, other]) => {
  const [a, b] = [one, other].map(selector => root.querySelector(selector).getBoundingClientRect());
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
"""


@pytest.fixture(scope="module")
def shown(book: Notebook) -> Explorer:
    explorer = book.show("s = orders.stream(start='earliest')\ns")
    expect(explorer.status).to_contain_text("window 300 of 300")
    return explorer


@pytest.fixture
def explorer(shown: Explorer) -> Iterator[Explorer]:
    """Return the explorer of the orders, and leave the table as it was."""
    shown.root.scroll_into_view_if_needed()
    yield shown
    shown.page.keyboard.press("Escape")
    if shown.filter.input_value():
        shown.filter.fill("")
    if shown.root.locator(".sl-sorted").count():
        shown.root.locator(".sl-sorted .sl-sort").click(click_count=2)
    if shown.inspector.is_visible():
        shown.inspector.get_by_role("button", name="Close", exact=True).click()
    follow(shown, on=True)


@pytest.fixture(scope="module")
def special(book: Notebook) -> Explorer:
    explorer = book.show(SPECIAL)
    expect(explorer.status).to_contain_text("window 4 of 4")
    return explorer


def follow(explorer: Explorer, *, on: bool) -> None:
    button = explorer.button("Follow")
    if (button.get_attribute("aria-pressed") == "true") != on:
        button.click()
    expect(button).to_have_attribute("aria-pressed", str(on).lower())


def head(explorer: Explorer, name: str) -> Locator:
    return explorer.root.locator(".sl-colhead", has=explorer.page.get_by_text(name, exact=True))


def test_the_newest_rows_are_in_sight_while_it_follows(book: Notebook, explorer: Explorer) -> None:
    book.run("await fill(300, 30)")
    explorer.root.scroll_into_view_if_needed()
    # Those of one partition may come after all of the other's, and fill the table.
    explorer.expect_column("amount", "['328', '329'].includes(texts.at(-1))")
    follow(explorer, on=False)
    frozen = explorer.column("amount")
    book.run("await fill(330, 30)")
    explorer.root.scroll_into_view_if_needed()
    expect(explorer.root.locator(".sl-newer")).to_have_text("30 new")
    assert explorer.column("amount") == frozen
    explorer.root.locator(".sl-newer").click()
    explorer.expect_column("amount", "['358', '359'].includes(texts.at(-1))")
    expect(explorer.button("Follow")).to_have_attribute("aria-pressed", "true")


def test_f_freezes_and_follows_again(explorer: Explorer) -> None:
    explorer.grid.focus()
    explorer.page.keyboard.press("f")
    expect(explorer.button("Follow")).to_have_attribute("aria-pressed", "false")
    explorer.page.keyboard.press("F")
    expect(explorer.button("Follow")).to_have_attribute("aria-pressed", "true")


def test_selecting_text_holds_the_table(book: Notebook, explorer: Explorer) -> None:
    explorer.rows.last.get_by_text("USD").or_(explorer.rows.last.get_by_text("EUR")).first.select_text()
    before = explorer.column("amount")
    book.run("await fill(360, 10)")
    expect(explorer.status).to_contain_text("of 370")
    assert explorer.column("amount") == before
    explorer.page.evaluate("() => document.getSelection().removeAllRanges()")
    explorer.expect_column("amount", "texts.includes('369')")


def test_rows_in_sight_stay_while_the_window_slides_and_when_they_have_left_it(book: Notebook) -> None:
    explorer = book.show(SLIDING)
    explorer.expect_state("paused")
    explorer.press("Run")
    explorer.expect_column("n", "texts.at(-1) === '299'")
    left = explorer.root.locator(".sl-left")
    explorer.grid.evaluate("grid => { grid.scrollTop = 100 * 24; }")
    frozen = explorer.expect_column("n", "texts.includes('205') && texts.length > 8")
    for first, end, has_left in ((300, 350, False), (350, 500, True), (500, 600, True)):
        book.run(f"await slide({first}, {end - first})")
        explorer.root.scroll_into_view_if_needed()
        expect(explorer.root.locator(".sl-newer")).to_have_text(f"{end - 300} new")
        assert explorer.column("n") == frozen
        expect(left).to_be_visible(visible=has_left)
    expect(left).to_contain_text("These rows have left the window")
    explorer.root.evaluate("root => { root.style.width = '360px'; }")
    assert not explorer.root.evaluate(OVERLAP, [".sl-left", ".sl-newer"])
    explorer.root.evaluate("root => { root.style.width = ''; }")
    left.get_by_role("button", name="Show the oldest rows").click()
    explorer.expect_column("n", "texts[0] === '400' && texts.length > 8")
    expect(left).to_be_hidden()
    book.run("await slide(600, 10)")
    explorer.root.scroll_into_view_if_needed()
    expect(left).to_be_visible()
    assert explorer.column("n")[0] == "400"
    explorer.grid.focus()
    explorer.page.keyboard.press("f")
    explorer.expect_column("n", "texts.at(-1) === '609'")
    expect(left).to_be_hidden()


def test_scrolling_goes_through_the_whole_window(book: Notebook) -> None:
    explorer = book.show(MANY)
    expect(explorer.status).to_contain_text("window 20,000 of 20,000")
    assert explorer.expect_column("n", "texts.at(-1) === '19999'")
    for share, low, high in ((0.5, 9_900, 10_100), (0.0, 0, 0), (0.25, 4_900, 5_100)):
        explorer.grid.evaluate("(grid, share) => { grid.scrollTop = (grid.scrollHeight - grid.clientHeight) * share; }", share)
        texts = explorer.expect_column("n", f"texts.length > 8 && Number(texts[0]) >= {low} && Number(texts[0]) <= {high}")
        assert [int(text) for text in texts] == list(range(int(texts[0]), int(texts[0]) + len(texts)))
    assert explorer.rows.count() < 60
    explorer.grid.focus()
    explorer.page.keyboard.press("Home")
    explorer.expect_column("n", "texts[0] === '0'")
    explorer.page.keyboard.press("PageDown")
    explorer.page.keyboard.press("PageDown")
    explorer.expect_column("n", "Number(texts[0]) > 5 && Number(texts[0]) < 40")
    explorer.page.keyboard.press("End")
    explorer.expect_column("n", "texts.at(-1) === '19999'")


def test_sorting_by_a_column_and_back(explorer: Explorer) -> None:
    sort = head(explorer, "amount").locator(".sl-sort")
    sort.click()
    assert explorer.expect_column("amount", "texts[0] === '0'")[:3] == ["0", "1", "2"]
    expect(head(explorer, "amount")).to_have_attribute("aria-sort", "ascending")
    sort.click()
    texts = explorer.expect_column("amount", "Number(texts[0]) > 300")
    assert [int(text) for text in texts] == sorted((int(text) for text in texts), reverse=True)
    expect(head(explorer, "amount")).to_have_attribute("aria-sort", "descending")
    sort.click()
    expect(head(explorer, "amount")).to_have_attribute("aria-sort", "none")
    # As they came again, the newest in sight.
    expect(explorer.button("Follow")).to_have_attribute("aria-pressed", "true")
    explorer.expect_column("amount", "Number(texts.at(-1)) > 297")


def test_a_text_filters_the_window(explorer: Explorer) -> None:
    explorer.filter.fill("name 3")
    texts = explorer.expect_column("who.name", "texts.length > 5 && texts.every(text => text === 'name 3')")
    assert texts
    expect(explorer.root.locator(".sl-found")).to_have_text(re.compile(r"^\d+ matches$"))
    explorer.filter.press("Escape")
    expect(explorer.filter).to_have_value("")
    explorer.expect_column("who.name", "texts.includes('name 1')")


def test_an_expression_filters_exactly_and_new_messages_too(book: Notebook, explorer: Explorer) -> None:
    explorer.filter.fill(f"id == {BIG + 5} or amount >= 5000")
    explorer.expect_column("id", f"texts.length === 1 && texts[0] === '{BIG + 5}'")
    book.run("await fill(5000, 3)")
    explorer.root.scroll_into_view_if_needed()
    explorer.expect_column("amount", "texts.length === 4 && texts.at(-1) === '5002'")


def test_a_mistake_in_the_filter_is_told_where_it_is(explorer: Explorer) -> None:
    explorer.filter.fill("amount > 100")
    explorer.expect_column("amount", "texts.length > 5")
    explorer.filter.fill("amount > (")
    problem = explorer.root.locator(".sl-filtererror")
    expect(problem).to_be_visible()
    expect(problem).not_to_have_text("")
    expect(explorer.filter).to_have_attribute("aria-invalid", "true")
    explorer.filter.fill("amount == 7")
    expect(problem).to_be_hidden()
    explorer.expect_column("amount", "texts.length === 1 && texts[0] === '7'")


def test_columns_are_hidden_and_shown_again(explorer: Explorer) -> None:
    explorer.press("Columns")
    dialog = explorer.root.get_by_role("dialog", name="Columns")
    dialog.get_by_label("currency", exact=True).uncheck()
    expect(head(explorer, "currency")).to_have_count(0)
    dialog.get_by_placeholder("Search columns").fill("who")
    expect(dialog.get_by_role("checkbox")).to_have_count(1)
    dialog.get_by_placeholder("Search columns").fill("")
    dialog.get_by_role("button", name="Show all", exact=True).click()
    expect(head(explorer, "currency")).to_have_count(1)
    explorer.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    head(explorer, "currency").hover()
    head(explorer, "currency").get_by_role("button", name="Hide this column").click()
    expect(head(explorer, "currency")).to_have_count(0)
    explorer.press("Columns")
    dialog.get_by_role("button", name="Show all", exact=True).click()
    expect(head(explorer, "currency")).to_have_count(1)


def test_the_name_of_a_column_of_numbers_can_be_read_while_the_mouse_is_there(explorer: Explorer) -> None:
    amount = head(explorer, "amount")
    amount.hover()
    expect(amount.locator(".sl-hide")).to_be_visible()
    assert not amount.evaluate(OVERLAP, [".sl-collabel", ".sl-hide"])
    # The arrow of a sorted one takes the room.
    amount.locator(".sl-sort").click()
    expect(amount).to_have_attribute("aria-sort", "ascending")
    expect(amount.locator(".sl-hide")).to_be_hidden()
    for _ in range(2):
        amount.locator(".sl-sort").click()
    expect(amount).to_have_attribute("aria-sort", "none")


def test_columns_are_resized_by_mouse_and_by_keys(explorer: Explorer) -> None:
    column = head(explorer, "currency")
    width = column.evaluate("head => head.offsetWidth")
    grip = column.locator(".sl-grip").bounding_box()
    assert grip
    explorer.page.mouse.move(grip["x"] + 2, grip["y"] + 5)
    explorer.page.mouse.down()
    explorer.page.mouse.move(grip["x"] + 82, grip["y"] + 5, steps=5)
    explorer.page.mouse.up()
    expect(column).to_have_css("width", f"{width + 80}px")
    column.locator(".sl-sort").focus()
    explorer.page.keyboard.press("Alt+ArrowLeft")
    expect(column).to_have_css("width", f"{width + 64}px")
    grip = column.locator(".sl-grip").bounding_box()
    assert grip
    explorer.page.mouse.dblclick(grip["x"] + 2, grip["y"] + 5)
    expect(column).not_to_have_css("width", f"{width + 64}px")


def test_a_row_opens_the_whole_message(explorer: Explorer) -> None:
    follow(explorer, on=False)
    number = explorer.expect_column("amount", "texts.length > 2")[2]
    panel = explorer.open_message(f"a{number}")
    facts = panel.locator("dl.sl-facts").first
    expect(facts).to_contain_text("orders")
    expect(facts).to_contain_text(f'"a{number}"')
    expect(facts).to_contain_text("set by the producer")
    expect(facts).to_contain_text("JSON")
    expect(panel.get_by_role("tree", name="Value")).to_contain_text(str(BIG + int(number)))
    panel.get_by_role("button", name="Copy as JSON").click()
    expect(explorer.notice).to_contain_text("Copied as JSON")
    assert json.loads(clipboard(explorer.page))["id"] == BIG + int(number)
    panel.get_by_role("button", name="Copy as Python").click()
    expect(explorer.notice).to_contain_text("Copied as Python")
    assert f"'id': {BIG + int(number)}" in clipboard(explorer.page)


def test_the_keyboard_opens_messages(explorer: Explorer) -> None:
    explorer.grid.focus()
    explorer.page.keyboard.press("Home")
    explorer.page.keyboard.press("ArrowDown")
    explorer.expect_column("offset", "texts[0] === '0'")
    explorer.page.keyboard.press("Enter")
    expect(explorer.inspector.locator("h4")).to_have_text("Offset 1")
    explorer.page.keyboard.press("ArrowDown")
    expect(explorer.inspector.locator("h4")).to_have_text("Offset 2")
    explorer.page.keyboard.press("Escape")
    expect(explorer.inspector).to_be_hidden()


def test_headers_keep_their_order_and_duplicates(special: Explorer) -> None:
    panel = special.open_message("one")
    headers = panel.get_by_role("table", name="Headers")
    assert headers.get_by_role("rowheader").all_inner_texts() == ["trace", "trace", "bytes"]
    assert headers.get_by_role("cell").all_inner_texts()[:2] == ["first", "second"]
    expect(panel.locator("dl.sl-facts").first).to_contain_text(re.compile(r"value \d+ B, key 3 B, headers \d+ B"))


def test_a_value_is_shown_as_tree_text_and_bytes(special: Explorer) -> None:
    panel = special.open_message("one")
    tree = panel.get_by_role("tree", name="Value")
    expect(tree).to_contain_text("7")
    deep = tree.get_by_role("treeitem").filter(has_text="deep:").last
    tree.locator("[data-path='[\"deep\"]']").locator(".sl-treeline").first.click()
    expect(tree.get_by_text("a", exact=True)).to_be_hidden()
    tree.locator("[data-path='[\"deep\"]']").locator(".sl-treeline").first.click()
    expect(deep).to_be_visible()
    panel.get_by_role("tab", name="Text").click()
    expect(panel.get_by_label("Text", exact=True).locator("visible=true").last).to_contain_text('"deep":{"a":{"b":7}}')
    panel.get_by_role("tab", name="Bytes").click()
    bytes_ = panel.locator("pre").last
    expect(bytes_).to_contain_text("7b 22 74 65 78 74")
    assert bytes_.evaluate("pre => pre.scrollWidth <= pre.clientWidth")


def test_large_values_come_when_asked_for(special: Explorer) -> None:
    expect(special.row("large")).not_to_contain_text("y" * 300)
    panel = special.open_message("large")
    expect(panel.get_by_role("tree")).not_to_contain_text("y" * 2000)
    panel.get_by_role("button", name=re.compile("^Show 30")).click()
    expect(panel.locator("pre")).to_contain_text("y" * 30_000)


def test_ten_megabytes_come_piece_by_piece(special: Explorer) -> None:
    panel = special.open_message("huge")
    expect(panel.locator("dl.sl-facts").first).to_contain_text("value 10")
    panel.get_by_role("button", name=re.compile(r"^Show 10")).click()
    more = panel.get_by_role("button", name=re.compile("^Show more: .* of 10"))
    expect(more).to_be_visible()
    size = panel.locator("pre").evaluate("pre => pre.textContent.length")
    assert 20_000 < size < 2_000_000
    more.click()
    special.page.wait_for_function(
        "([pre, size]) => pre.textContent.length > size", arg=[panel.locator("pre").element_handle(), size]
    )


def test_tombstones_are_shown(special: Explorer) -> None:
    panel = special.open_message("gone")
    expect(panel.get_by_role("tree", name="Value")).to_have_text("null")


def test_integers_of_64_bits_are_exact_everywhere(explorer: Explorer) -> None:
    explorer.filter.fill("amount == 0")
    explorer.expect_column("id", f"texts.length === 1 && texts[0] === '{BIG}'")
    panel = explorer.open_message("a0")
    expect(panel.get_by_role("tree", name="Value")).to_contain_text(str(BIG))
    panel.get_by_role("tab", name="Text").click()
    expect(panel.locator("pre").first).to_contain_text(str(BIG))
