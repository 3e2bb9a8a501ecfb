"""How the explorer looks: light and dark, narrow, to a screen reader, and in a notebook without a kernel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.axe import violations
from tests.browser.explorer import DOUBLED, FAILING, Explorer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import FloatRect, Locator, Route

    from tests.browser.explorer import Notebook

STREAM = DOUBLED + FAILING + "s"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
SET_THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"


@pytest.fixture(scope="module")
def shown(book: Notebook) -> Explorer:
    explorer = book.show(STREAM)
    expect(explorer.status).to_contain_text("window 297 of 297")
    return explorer


@pytest.fixture
def explorer(shown: Explorer) -> Iterator[Explorer]:
    shown.root.scroll_into_view_if_needed()
    yield shown
    shown.page.set_viewport_size({"width": 1400, "height": 1000})
    if shown.root.count():
        shown.tab("Messages").click()


@pytest.fixture(params=THEMES)
def theme(request: pytest.FixtureRequest, book: Notebook) -> Iterator[str]:
    book.page.evaluate(SET_THEME, THEMES[request.param])
    expect(book.page.locator("body")).to_have_attribute("data-jp-theme-name", THEMES[request.param])
    yield request.param
    book.page.evaluate(SET_THEME, THEMES["light"])


def test_nothing_serious_is_found_by_axe_in_any_tab(explorer: Explorer, theme: str, tmp_path: Path) -> None:
    found = {"messages": violations(explorer.page)}
    amount = explorer.expect_column("amount", "texts.length > 3")[3]
    explorer.open_message(f"a{amount}")
    found["message"] = violations(explorer.page)
    explorer.tab("Errors").click()
    errors = explorer.root.get_by_role("list", name="Errors").get_by_role("listitem")
    errors.first.get_by_role("button").first.click()
    expect(errors.first.get_by_label("Traceback")).to_be_visible()
    found["errors"] = violations(explorer.page)
    errors.first.get_by_role("button").first.click()
    explorer.tab("Graph").click()
    expect(explorer.root.locator("svg g.node")).to_have_count(4)
    found["graph"] = violations(explorer.page)
    explorer.tab("Batches").click()
    found["batches"] = violations(explorer.page)
    explorer.select("double")
    expect(explorer.editor).to_be_visible()
    found["processor"] = violations(explorer.page)
    explorer.press("More")
    found["more"] = violations(explorer.page)
    explorer.page.keyboard.press("Escape")
    explorer.inspector.get_by_role("button", name="Close", exact=True).click()
    explorer.page.screenshot(path=tmp_path / f"{theme}.png")
    assert {place: problems for place, problems in found.items() if problems} == {}


def test_colours_follow_the_theme(explorer: Explorer, theme: str) -> None:
    colours = explorer.root.evaluate("root => { const s = getComputedStyle(root); return [s.color, s.backgroundColor]; }")
    text, ground = (sum(int(part) for part in re.findall(r"\d+", colour)[:3]) for colour in colours)
    assert (text < ground) == (theme == "light")


def within(element: Locator, outer: FloatRect) -> bool:
    box = element.bounding_box()
    return box is not None and box["x"] >= outer["x"] and box["x"] + box["width"] <= outer["x"] + outer["width"]


def test_a_narrow_cell_shows_everything_without_scrolling_sideways(explorer: Explorer) -> None:
    explorer.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    try:
        explorer.page.set_viewport_size({"width": 500, "height": 900})
        explorer.root.scroll_into_view_if_needed()
        root = explorer.root.bounding_box()
        assert root
        assert root["width"] < 480
        assert explorer.root.evaluate("root => root.scrollWidth <= root.clientWidth")
        for name in ("Pause", "Stop", "More", "Add a processor", "Follow"):
            assert within(explorer.button(name), root), name
        for name, title in (("More", "Start position, mode and window"), ("Columns", "Columns")):
            explorer.press(name)
            dialog = explorer.root.get_by_role("dialog", name=title)
            expect(dialog).to_be_visible()
            assert within(dialog, root), name
            explorer.page.keyboard.press("Escape")
        explorer.expect_column("offset", "texts.length > 3")
        explorer.select("double")
        expect(explorer.editor).to_be_visible()
        box = explorer.inspector.bounding_box()
        assert box
        assert box["x"] + box["width"] <= root["x"] + root["width"] + 1
        explorer.inspector.get_by_role("button", name="Close", exact=True).click()
    finally:
        explorer.page.set_viewport_size({"width": 1400, "height": 1000})
        explorer.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")


def test_the_graph_of_a_long_pipeline_can_be_read(book: Notebook, explorer: Explorer) -> None:
    explorer.tab("Graph").click()
    book.run("for i in range(30):\n    def step(order): return order\n    step.__name__ = f'step_{i}'\n    s.add_processor(step)")
    explorer.root.scroll_into_view_if_needed()
    picture = explorer.root.locator(".sl-panels svg[role=group]")
    expect(picture.locator("g.node")).to_have_count(34)
    assert picture.locator("g.node text").first.evaluate("text => text.getBoundingClientRect().height") > 8
    # What is selected there is led to in the pipeline.
    picture.get_by_role("button", name="Select step_29").click()
    pipeline = explorer.pipeline.bounding_box()
    assert pipeline
    assert within(explorer.node("step_29"), pipeline)
    explorer.inspector.get_by_role("button", name="Close", exact=True).click()
    book.run("for i in range(30): s.processors.remove(f'step_{i}')")


def test_what_is_said_below_the_histogram_is_not_covered(explorer: Explorer) -> None:
    explorer.root.get_by_role("slider", name="Start of the selected time").focus()
    explorer.page.keyboard.press("PageUp")
    clear = explorer.button("Clear selection")
    expect(clear).to_be_visible()
    until = explorer.root.locator(".sl-axis span").last.bounding_box()
    button = clear.bounding_box()
    assert until
    assert button
    assert until["x"] + until["width"] <= button["x"]
    clear.click()


def test_a_reopened_notebook_shows_the_last_rows_without_a_kernel(book: Notebook, explorer: Explorer) -> None:
    explorer.press("Stop")
    explorer.expect_state("stopped")
    index = book.page.evaluate(
        "root => window.jupyterapp.shell.currentWidget.content.widgets.findIndex(cell => cell.node.contains(root))",
        explorer.root.element_handle(),
    )
    # The snapshot is taken again when the stream comes to rest.
    book.page.wait_for_function(
        """index => JSON.stringify(
          window.jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.outputs).includes('stopped')""",
        arg=index,
    )
    book.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    book.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")

    def refuse_kernels(route: Route) -> None:
        if route.request.method == "POST":
            route.abort()
        else:
            route.continue_()

    book.page.route("**/api/sessions*", refuse_kernels)
    book.load()
    output = book.cell(index).locator(".jp-OutputArea-output")
    expect(output).to_contain_text("Last messages")
    expect(output).to_contain_text("stopped")
    expect(output).to_contain_text("snapshot of")
    # The last message is the last of either partition: which one is read last is not said anywhere.
    expect(output).to_contain_text(re.compile(f"{9007199254740993 + 298}|{9007199254740993 + 299}"))
    expect(output).to_contain_text("double")
    expect(output).not_to_contain_text("model not found")
