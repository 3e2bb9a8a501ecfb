"""What stands beside a widget in a notebook: shown without the widget, and changed without touching it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect

from tests.browser.lab import LAB, NOTEBOOK_7, open_and_run, open_notebook, page_of, run_command, running_lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Locator, Page, Route

    from tests.browser.lab import Flavour

NAME = "shown.ipynb"
KERNEL = {"name": "python3", "display_name": "Python 3"}
SHOW = """
import ipywidgets
from IPython.display import display

button = ipywidgets.Button(description="alive")
asked = {"raw": True, "metadata": {"streamlab": {"snapshot": True}}}

def bundle(text):
    view = {"version_major": 2, "version_minor": 0, "model_id": button.model_id}
    return {"application/vnd.jupyter.widget-view+json": view, "text/html": f"<p>{text}</p>", "text/plain": text}

handle = display(bundle("the first snapshot"), display_id=True, **asked)
"""
MARK_NODE = "node => node.dataset.seen = 'before the update'"
UPDATE = "handle.update(bundle('the second snapshot'), **asked)"
# Rendered after the update, in the same way: what an update would have changed is there when this is.
AFTER = "import ipywidgets; ipywidgets.Button(description='after')"

EXPLORED = "explored.ipynb"
EXPLORE = """
import streamlab as sl

sl.App("demo", broker="memory://demo").topic("orders").stream(start=-10).explore()
"""
PICTURED = """
() => {
  const { outputArea } = window.jupyterapp.shell.currentWidget.content.widgets[0];
  const text = outputArea.model.get(0).data["text/plain"];
  return /window: [1-9]/.test(text);
}
"""


@pytest.fixture(params=[LAB, NOTEBOOK_7], ids=["lab", "notebook7"])
def flavour(request: pytest.FixtureRequest) -> Flavour:
    flavour: Flavour = request.param
    return flavour


@pytest.fixture
def url(tmp_path: Path, flavour: Flavour) -> Iterator[str]:
    folder = tmp_path / "work"
    folder.mkdir()
    for name, cells in ((NAME, (SHOW, UPDATE, AFTER)), (EXPLORED, (EXPLORE,))):
        notebook = new_notebook(cells=[new_code_cell(code) for code in cells], metadata={"kernelspec": KERNEL})
        nbformat.write(notebook, folder / name)
    with running_lab(folder, tmp_path / "lab.log", flavour) as url:
        yield url


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with page_of(chromium) as page:
        yield page


@pytest.fixture
def saved(page: Page, url: str) -> str:
    """Return the URL of a server with the notebook run and saved, and its kernel gone."""
    open_and_run(page, url, NAME)
    expect(page.get_by_role("button", name="after", exact=True)).to_be_visible()
    run_command(page, "docmanager:save")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    return url


def first_output(page: Page) -> Locator:
    return page.locator(".jp-CodeCell").first.locator(".jp-OutputArea-output")


def test_a_live_view_is_kept_when_only_its_snapshot_changes(page: Page, url: str) -> None:
    open_notebook(page, url, NAME)
    run_command(page, "notebook:run-cell-and-select-next")
    buttons = first_output(page).get_by_role("button")
    expect(buttons).to_have_text("alive")
    buttons.evaluate(MARK_NODE)
    run_command(page, "notebook:run-cell-and-select-next")
    run_command(page, "notebook:run-cell-and-select-next")
    expect(page.get_by_role("button", name="after", exact=True)).to_be_visible()
    expect(buttons).to_have_count(1)
    expect(buttons).to_have_attribute("data-seen", "before the update")
    expect(first_output(page)).not_to_contain_text("snapshot")


def test_the_snapshot_beside_a_live_explorer_is_refreshed(page: Page, url: str) -> None:
    open_and_run(page, url, EXPLORED)
    explorers = first_output(page).locator(".sl-root")
    expect(explorers).to_be_visible()
    explorers.evaluate(MARK_NODE)
    page.wait_for_function(PICTURED)
    expect(explorers).to_have_count(1)
    expect(explorers).to_have_attribute("data-seen", "before the update")


def test_a_reopened_notebook_shows_the_latest_snapshot(page: Page, saved: str) -> None:
    open_notebook(page, saved, NAME)
    page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 2; }")
    run_command(page, "notebook:run-cell")
    # The new kernel shows its own widgets: nothing more will be heard of the old ones.
    expect(page.get_by_role("button", name="after", exact=True)).to_be_visible()
    expect(first_output(page)).to_have_text("the second snapshot")
    expect(page.get_by_text("model not found")).to_have_count(0)


def test_a_notebook_without_a_kernel_shows_the_latest_snapshot(page: Page, saved: str) -> None:
    def refuse_kernels(route: Route) -> None:
        if route.request.method == "POST":
            route.abort()
        else:
            route.continue_()

    page.route("**/api/sessions*", refuse_kernels)
    open_notebook(page, saved, NAME)
    expect(first_output(page)).to_have_text("the second snapshot")
