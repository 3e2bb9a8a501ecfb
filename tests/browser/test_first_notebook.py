"""The first notebook in a real JupyterLab in a real browser."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from streamlab import demo_lab
from tests.browser.lab import open_and_run, page_of, running_lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Locator, Page


@pytest.fixture
def notebook_page(tmp_path: Path, chromium: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    monkeypatch.delenv("STREAMLAB_BROKER", raising=False)
    folder = tmp_path / "work"
    folder.mkdir()
    shutil.copy(demo_lab.notebooks() / demo_lab.FIRST, folder)
    with running_lab(folder, tmp_path / "lab.log") as url, page_of(chromium) as page:
        open_and_run(page, url, demo_lab.FIRST)
        yield page


def output_of(page: Page, source: str) -> Locator:
    cell = page.locator(".jp-CodeCell", has=page.locator(".jp-InputArea", has_text=source))
    return cell.locator(".jp-OutputArea").first


def test_a_batch_is_a_table_and_the_stream_is_a_picture(notebook_page: Page, tmp_path: Path) -> None:
    table = output_of(notebook_page, "async for batch").locator("table")
    expect(table).to_contain_text("account")
    expect(table.locator("tr").nth(5)).to_be_visible()
    # JupyterLab has a style of its own for cells: a time would be broken into two lines.
    expect(table.locator("td", has_text="Z").first).to_have_css("white-space", "nowrap")
    graph = output_of(notebook_page, "stream.graph()")
    graph.scroll_into_view_if_needed()
    picture = graph.locator(".jp-RenderedSVG img")
    expect(picture).to_be_visible()
    box = picture.bounding_box()
    assert box is not None
    assert box["width"] > 100
    notebook_page.screenshot(path=tmp_path / "first_notebook.png")
    expect(notebook_page.locator(".jp-RenderedText[data-mime-type*='error']")).to_have_count(0)
