"""Notebooks that a program executes: what they keep of what is shown."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from streamlab.views import unattended

if TYPE_CHECKING:
    from pathlib import Path

FILL = """
import streamlab as sl

app = sl.App("executed", broker="memory://executed")
orders = app.topic("orders")
for number in range(50):
    await orders.send(key=f"key {number}", value={"id": number})
"""
CHANGED = """
explorer = orders.stream(start="earliest").explore(messages=40)
explorer.ui = {**explorer.ui, "tab": "graph"}
explorer
"""
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook that was executed and converted: its file, and beside it what it was converted to."""
    path = tmp_path_factory.mktemp("executed") / "shown.ipynb"
    cells = [FILL, "app.table(orders)", CHANGED, 'orders.stream(start="earliest")']
    nbformat.write(new_notebook(cells=[new_code_cell(code) for code in cells]), path)
    convert(path, "notebook", "--execute", "--inplace")
    return path


def convert(path: Path, kind: str, *options: str) -> str:
    """Have nbconvert convert a notebook; what it wrote."""
    command = [sys.executable, "-m", "nbconvert", "--to", kind, *options, path.name]
    subprocess.run(command, cwd=path.parent, check=True, capture_output=True, timeout=50)
    suffix = {"notebook": "ipynb", "html": "html", "markdown": "md", "python": "py"}[kind]
    return path.with_suffix(f".{suffix}").read_text()


def test_html_shows_snapshots_with_messages_in_place_of_widgets_that_are_gone(executed: Path) -> None:
    page = convert(executed, "html")
    assert f'<script type="{WIDGET}">' not in page
    assert page.count('class="streamlab-card"') == 3
    assert page.count(">key 49</td>") == 2  # the table shows its first keys
    assert page.count("snapshot of ") == 2
    assert "no messages yet" not in page
    assert "no keys yet" not in page


def test_no_state_of_ours_is_stored_with_the_notebook(executed: Path) -> None:
    notebook = nbformat.read(executed, as_version=4)
    models = [output.data[WIDGET]["model_id"] for cell in notebook.cells for output in cell.outputs if WIDGET in output.data]
    stored = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert len(models) == 3
    assert not set(models) & set(stored)


def test_markdown_has_the_snapshots_too_and_a_script_the_code(executed: Path) -> None:
    assert convert(executed, "markdown").count("snapshot of ") == 2
    script = convert(executed, "python")
    assert "orders.stream(" in script
    assert "snapshot" not in script


def test_executing_it_with_conversion_is_the_same(executed: Path) -> None:
    page = convert(executed, "html", "--execute")
    assert f'<script type="{WIDGET}">' not in page
    assert page.count(">key 49</td>") == 2


def test_nbclient_still_cannot_be_asked_for_input() -> None:
    """The canary: this is how a program is told from people."""
    assert "self.kc.allow_stdin = False" in inspect.getsource(NotebookClient)
    assert unattended.attended()  # no kernel, no program


def test_what_is_done_is_not_waited_for() -> None:
    asked = []
    unattended.wait_for(lambda: asked.append(1) or 0, lambda: True)
    assert len(asked) == 1
