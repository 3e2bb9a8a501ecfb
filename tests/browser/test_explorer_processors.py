"""The explorer's processors: seen before and after, switched, moved, removed, tried, applied, picked, taken out as a cell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.explorer import DOUBLED, clipboard

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.explorer import Explorer, Notebook

STREAM = (
    DOUBLED
    + """
@s.processor
def only_euros(order):
    if order["currency"] != "EUR":
        raise sl.Skip
    return order
def from_the_notebook(order):
    order["picked"] = True
    return order
async def trickle():
    for i in range(300, 1_000_000):
        await fill(i, 1)
        await asyncio.sleep(0.05)
task = asyncio.create_task(trickle())
s
"""
)
NAMES = "s.processors.names"


@pytest.fixture(scope="module")
def shown(book: Notebook) -> Explorer:
    return book.show(STREAM)


@pytest.fixture
def explorer(book: Notebook, shown: Explorer) -> Explorer:
    """Return the explorer of a stream with its two processors as they were, while messages come."""
    names = book.ask(f"[*{NAMES}]")
    for name in names:
        if name not in ("double", "only_euros"):
            book.ask(f"s.processors.remove({name!r}) and None")
    if book.ask(f"'double' in {NAMES} and 'only_euros' in {NAMES}"):
        book.ask("[s.processors.enable('double'), s.processors.move('double', 0)] and None")
    shown.root.scroll_into_view_if_needed()
    return shown


def switch(panel: Locator) -> Locator:
    return panel.get_by_role("switch", name="Enabled")


def labels(explorer: Explorer) -> list[str]:
    return explorer.pipeline.locator(".sl-nodelabel").all_inner_texts()


def expect_labels(explorer: Explorer, *expected: str) -> None:
    expect(explorer.pipeline.locator(".sl-nodelabel")).to_have_text(list(expected))


def test_the_pipeline_lists_source_and_processors_with_what_flows(explorer: Explorer) -> None:
    expect_labels(explorer, "orders", "double", "only_euros")
    expect(explorer.node("orders")).to_contain_text("2 partitions")
    expect(explorer.node("only_euros")).to_contain_text("50 % pass")
    expect(explorer.pipeline.locator(".sl-edge").first).to_have_text(re.compile(r"^[1-9]\d*(\.\d)?/s$"))


def test_selecting_shows_the_value_before_and_after_with_the_difference(explorer: Explorer) -> None:
    panel = explorer.select("double")
    before, after = panel.get_by_role("tree", name="Before"), panel.get_by_role("tree", name="After")
    expect(before).to_contain_text("amount")
    expect(before).not_to_contain_text("total")
    expect(after.locator("ins.sl-added")).to_have_text(re.compile(r"^\d+ \(added\)$"))
    expect(panel.locator(".sl-counters")).to_contain_text(re.compile(r"in [\d,]+ +out [\d,]+ +skipped 0 +0 errors +.* each"))
    expect(explorer.node("double")).to_have_attribute("aria-pressed", "true")


def test_the_sample_goes_on_while_messages_come(explorer: Explorer) -> None:
    panel = explorer.select("double")
    value = panel.get_by_role("tree", name="After").locator("ins.sl-added")
    first = value.inner_text()
    expect(value).not_to_have_text(first)


def test_a_skipped_value_is_told(explorer: Explorer) -> None:
    panel = explorer.select("only_euros")
    expect(panel.locator(".sl-side").last).to_contain_text("skipped")
    expect(panel.locator(".sl-counters")).to_contain_text(re.compile(r"skipped [1-9]"))


def test_the_switch_turns_a_processor_off_and_on(book: Notebook, explorer: Explorer) -> None:
    panel = explorer.select("double")
    switch(panel).click()
    expect(switch(panel)).to_have_attribute("aria-checked", "false")
    expect(explorer.node("double")).to_contain_text("off")
    assert not book.ask("s.processors['double'].enabled")
    switch(panel).click()
    expect(switch(panel)).to_have_attribute("aria-checked", "true")
    expect(explorer.node("double")).not_to_contain_text("off")
    assert book.ask("s.processors['double'].enabled")


def test_buttons_move_a_processor(book: Notebook, explorer: Explorer) -> None:
    panel = explorer.select("double")
    right, left = panel.get_by_role("button", name="Move to the right"), panel.get_by_role("button", name="Move to the left")
    expect(left).to_be_disabled()
    right.click()
    expect_labels(explorer, "orders", "only_euros", "double")
    assert book.ask(f"list({NAMES})") == ["only_euros", "double"]
    expect(right).to_be_disabled()
    left.click()
    expect_labels(explorer, "orders", "double", "only_euros")


def test_keys_move_a_processor_and_go_along_the_pipeline(book: Notebook, explorer: Explorer) -> None:
    explorer.node("double").focus()
    explorer.page.keyboard.press("Alt+ArrowRight")
    expect_labels(explorer, "orders", "only_euros", "double")
    expect(explorer.node("double")).to_be_focused()
    explorer.page.keyboard.press("ArrowLeft")
    expect(explorer.node("only_euros")).to_be_focused()
    assert book.ask(f"list({NAMES})") == ["only_euros", "double"]


def test_dragging_moves_a_processor(book: Notebook, explorer: Explorer) -> None:
    explorer.node("double").drag_to(explorer.node("only_euros"))
    expect_labels(explorer, "orders", "only_euros", "double")
    assert book.ask(f"list({NAMES})") == ["only_euros", "double"]


def test_a_processor_is_written_tried_and_applied(book: Notebook, explorer: Explorer) -> None:
    explorer.press("Add a processor")
    panel = explorer.root.get_by_role("region", name="New processor")
    explorer.write('def vat(order):\n    order["vat"] = order["amount"] / 5\nreturn order')
    expect(panel.get_by_role("button", name="Try on 1,000")).to_be_enabled()
    panel.get_by_role("button", name="Try on 1,000").click()
    expect(panel.locator(".sl-status")).to_have_text(re.compile(r"^line 3, column 1: 'return' outside function"))
    explorer.write('def vat(order):\n    order["vat"] = order["amount"] / 5\n    return order\n')
    panel.get_by_role("button", name="Try on 1,000").click()
    expect(panel.locator(".sl-status")).to_contain_text(re.compile(r"[1-9]\d* ok, 0 skipped, 0 errors"))
    expect(panel.get_by_role("group", name="Results of the trial")).to_contain_text("'vat'")
    assert "vat" not in book.ask(f"list({NAMES})")
    panel.get_by_role("button", name="Apply").click()
    expect_labels(explorer, "orders", "double", "only_euros", "vat")
    # The applied one is selected.
    expect(explorer.root.get_by_role("region", name="Processor vat").get_by_role("tree", name="After")).to_contain_text("vat")


def test_a_trial_shows_the_errors_first(explorer: Explorer) -> None:
    explorer.press("Add a processor")
    panel = explorer.root.get_by_role("region", name="New processor")
    explorer.write('def sometimes(order):\n    return 1 / (order["amount"] % 2)\n')
    panel.get_by_role("button", name="Try on 1,000").click()
    expect(panel.locator(".sl-status")).to_contain_text(re.compile(r"[1-9]\d* errors"))
    results = panel.get_by_role("group", name="Results of the trial")
    results.locator("summary").first.click()
    expect(results.locator("details").first).to_contain_text("ZeroDivisionError: ")
    panel.get_by_role("button", name="Close", exact=True).click()


def test_a_processor_is_edited_in_place(book: Notebook, explorer: Explorer) -> None:
    panel = explorer.select("double")
    expect(explorer.editor).to_contain_text('order["amount"] * 2')
    expect(panel.get_by_role("button", name="Apply")).to_be_disabled()
    explorer.write('def double(order):\n    order["total"] = order["amount"] * 1000\n    return order\n')
    explorer.page.keyboard.press("Shift+Enter")
    expect(panel.locator(".sl-status")).to_have_text("Applied")
    expect(panel.get_by_role("tree", name="After").locator("ins.sl-added")).to_have_text(re.compile(r"^\d+000 \(added\)$"))
    assert book.ask(f"list({NAMES})") == ["double", "only_euros"]
    explorer.write('def double(order):\n    order["total"] = order["amount"] * 2\n    return order\n')
    panel.get_by_role("button", name="Apply").click()
    expect(panel.locator(".sl-status")).to_have_text("Applied")


def test_a_function_of_the_notebook_is_picked(book: Notebook, explorer: Explorer) -> None:
    explorer.press("Add a processor")
    panel = explorer.root.get_by_role("region", name="New processor")
    panel.get_by_label("A function of the notebook").select_option("from_the_notebook")
    panel.get_by_role("button", name="Add", exact=True).click()
    expect_labels(explorer, "orders", "double", "only_euros", "from_the_notebook")
    assert book.ask("s.processors['from_the_notebook'].function is from_the_notebook")


def test_a_processor_is_copied_as_a_cell(explorer: Explorer) -> None:
    panel = explorer.select("double")
    panel.get_by_role("button", name="Copy as cell").click()
    expect(explorer.notice).to_contain_text("Copied")
    assert clipboard(explorer.page).startswith("@s.processor\ndef double(order):\n")


def test_a_processor_is_removed(book: Notebook, explorer: Explorer) -> None:
    book.ask("s.processors.define(from_the_notebook, name='extra') and None")
    panel = explorer.select("extra")
    panel.get_by_role("button", name="Remove", exact=True).click()
    expect_labels(explorer, "orders", "double", "only_euros")
    expect(explorer.inspector).to_be_hidden()
    assert "extra" not in book.ask(f"list({NAMES})")


def test_the_source_can_be_selected(explorer: Explorer) -> None:
    explorer.node("orders").click()
    panel = explorer.root.get_by_role("region", name="Source")
    expect(panel).to_contain_text("observe")
    expect(panel).to_contain_text("of 100,000 messages")
    panel.get_by_role("button", name="Close").click()
    expect(explorer.inspector).to_be_hidden()


def test_code_of_a_cell_that_runs_again_is_seen_in_the_open_editor_and_a_draft_stays(book: Notebook, explorer: Explorer) -> None:
    define = "@s.processor\ndef here(order):\n    return {{**order, 'here': {}}}"
    book.run(define.format(1))
    explorer.root.scroll_into_view_if_needed()
    explorer.select("here")
    expect(explorer.editor).to_contain_text("'here': 1")
    book.run(define.format(2))
    explorer.root.scroll_into_view_if_needed()
    expect(explorer.editor).to_contain_text("'here': 2")
    explorer.write("def here(order):\n    return {**order, 'here': 3}\n")
    book.run(define.format(4))
    explorer.root.scroll_into_view_if_needed()
    status = explorer.inspector.locator(".sl-bench .sl-status")
    expect(status).to_have_text("Changed elsewhere meanwhile: Apply replaces that")
    expect(explorer.editor).to_contain_text("'here': 3")
    explorer.editor.focus()
    explorer.page.keyboard.press("Shift+Enter")
    expect(status).to_have_text("Applied")
    expect(explorer.inspector.locator(".sl-two")).to_contain_text("here: 3")
    expect(explorer.editor).to_be_focused()


def test_what_a_trial_prints_is_shown_below_its_results(book: Notebook, explorer: Explorer) -> None:
    explorer.press("Add a processor")
    panel = explorer.root.get_by_role("region", name="New processor")
    explorer.write("def loud(order):\n    print('<b>seen</b>', order['amount'])\n    return order\n")
    panel.get_by_role("button", name="Try on 1,000").click()
    printed = panel.get_by_label("Printed")
    printed.scroll_into_view_if_needed()
    expect(printed).to_contain_text(re.compile(r"^<b>seen</b> \d+\n"))
    expect(panel.locator(".sl-results")).not_to_contain_text("characters before this")
    explorer.write("def loud(order):\n    print(order['amount'], 'x' * 20_000)\n    return order\n")
    panel.get_by_role("button", name="Try on 1,000").click()
    expect(panel.locator(".sl-results")).to_contain_text(re.compile(r"printed, without [\d,]+ characters before this"))
    panel.get_by_role("button", name="Close", exact=True).click()


def test_what_a_preview_prints_is_in_its_cell(book: Notebook) -> None:
    book.run("def loud(order):\n    print('seen', order['amount'])\n    return order")
    cell = book.run("s.preview(loud, n=3)")
    expect(cell.locator(".jp-OutputArea-output").first).to_have_text(re.compile(r"^(seen \d+\n){3}$"))
    expect(cell.locator(".jp-OutputArea-output").last).to_contain_text("3 ok, 0 skipped, 0 errors")


def test_long_code_scrolls_in_its_place(explorer: Explorer) -> None:
    explorer.press("Add a processor")
    panel = explorer.root.get_by_role("region", name="New processor")
    lines = "".join(f"    x{number} = {number}\n" for number in range(60))
    explorer.write(f"def long(order):\n{lines}    return x59\n")
    for part in (panel.get_by_role("heading"), panel.get_by_role("button", name="Apply")):
        expect(part).to_be_in_viewport(ratio=1)
    panel.get_by_role("button", name="Try on 1,000").click()
    expect(panel.locator(".sl-results")).to_contain_text("59")
    expect(panel.get_by_role("heading")).to_be_in_viewport(ratio=1)
    panel.get_by_role("button", name="Close", exact=True).click()


def test_the_stream_is_paused_and_goes_on_while_a_trial_takes_its_time(book: Notebook, explorer: Explorer) -> None:
    book.run("import threading\ngate = threading.Event()")
    explorer.root.scroll_into_view_if_needed()
    explorer.press("Add a processor")
    panel = explorer.root.get_by_role("region", name="New processor")
    explorer.write("def waits(order):\n    gate.wait()\n    return order['nothing']\n")
    panel.get_by_role("button", name="Try on 1,000").click()
    expect(panel.locator(".sl-status")).to_have_text("Trying…")
    explorer.press("Pause")
    explorer.expect_state("paused")
    explorer.press("Run")
    explorer.expect_state("live")
    expect(panel.locator(".sl-status")).to_have_text("Trying…")
    book.ask("gate.set()")
    expect(panel.locator(".sl-status")).to_contain_text(re.compile(r"^0 ok, 0 skipped, [1-9]\d* errors"))
    result = panel.locator(".sl-results details").first
    result.locator("summary").click()
    expect(result).to_contain_text("line 3, in waits")
    panel.get_by_role("button", name="Close", exact=True).click()


def test_where_code_is_from_is_told_and_what_alone_is_not_the_processor_is_not_copied(book: Notebook, explorer: Explorer) -> None:
    book.run(
        "def made(rate):\n    def inner(order):\n        return rate\n    return inner\ns.processors.define(made(2), name='made')"
    )
    explorer.root.scroll_into_view_if_needed()
    panel = explorer.select("made")
    status = panel.locator(".sl-bench .sl-status")
    expect(status).to_have_text("made in another function, whose rate it uses: Apply replaces it by one without")
    panel.get_by_role("button", name="Copy as cell").click()
    expect(explorer.notice).to_contain_text("the code of made alone does not make it again")
    book.ask("s.processors.define(len, name='made') and None")
    expect(status).to_contain_text("its code is not known (it is a builtin_function_or_method)")
    panel.get_by_role("button", name="Copy as cell").click()
    expect(explorer.notice).to_contain_text("Copied")
    assert clipboard(explorer.page) == "s.processor(len, name='made')\n"


def test_a_new_one_does_not_take_the_place_of_another(book: Notebook, explorer: Explorer) -> None:
    explorer.press("Add a processor")
    panel = explorer.root.get_by_role("region", name="New processor")
    explorer.write("def double(order):\n    return None\n")
    panel.get_by_role("button", name="Apply").click()
    expect(panel.locator(".sl-status")).to_have_text(re.compile("^there is a processor 'double' already: give this function"))
    assert book.ask("s.processors['double'].function({'amount': 4})") == {"amount": 4, "total": 8}
    panel.get_by_role("button", name="Close", exact=True).click()
