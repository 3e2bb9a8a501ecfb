"""A notebook in a page, driven cell by cell, and the explorers that its cells show."""

from __future__ import annotations

import ast
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat.v4 import new_notebook
from playwright.sync_api import expect

from tests.browser.lab import open_notebook, page_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Locator, Page

KERNEL = {"name": "python3", "display_name": "Python 3"}

WAIT_S = 15.0
"""So long is waited for what the kernel does after a grace."""

FILLED = """
import asyncio
import streamlab as sl
app = sl.App("tests", broker="memory://tests")
orders = app.topic("orders", partitions=2)
FIRST = 9007199254740993
sent = 0
async def fill(first, count):
    global sent
    for i in range(first, first + count):
        value = {"id": FIRST + i, "amount": i, "currency": ("EUR", "USD")[i % 2], "who": {"name": f"name {i % 5}"}}
        await orders.send(key=f"a{i}", value=value, partition=i % 2, timestamp=1_700_000_000 + i)
        sent += 1
await fill(0, 300)
"""
"""300 orders, one a second of event time, in two partitions."""
DOUBLED = """
s = orders.stream(start="earliest")
@s.processor
def double(order):
    order["total"] = order["amount"] * 2
    return order
"""
"""A stream of them with a processor."""
FAILING = """
@s.processor
def fails(order):
    if order["amount"] % 100 == 0:
        raise ValueError("a hundred")
    return order
"""
"""Another processor: every hundredth fails."""

READY = """
async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
}
"""
ADD_CELL = """
code => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  const cells = notebook.model.sharedModel;
  const index = cells.cells.length;
  cells.insertCell(index, {cell_type: 'code', source: code, metadata: {}, outputs: []});
  notebook.activeCellIndex = index;
  notebook.deselectAll();
  return index;
}
"""
RUN_CELL = """
async index => {
  const app = window.jupyterapp;
  const panel = app.shell.currentWidget;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  panel.content.activeCellIndex = index;
  panel.content.deselectAll();
  await app.commands.execute('notebook:run-cell');
}
"""
RUN_FROM = """
index => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = index;
  notebook.deselectAll();
  window.jupyterapp.commands.execute('notebook:run-all-below');
}
"""
RESTART = "() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()"
SUBSHELLS_COME_LATE = """
() => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const create = kernel.requestCreateSubshell.bind(kernel);
  kernel.requestCreateSubshell = (...given) => {
    const future = create(...given);
    return {done: new Promise(resolve => setTimeout(resolve, 1000)).then(() => future.done)};
  };
}
"""
SHUT_DOWN = "() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
ASK = """
async code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const asked = {code: '', silent: true, store_history: false, user_expressions: {answer: code}};
  const reply = await kernel.requestExecute(asked).done;
  const answer = reply.content.user_expressions.answer;
  if (answer.status !== 'ok') throw new Error(`${answer.ename}: ${answer.evalue}`);
  return answer.data['text/plain'];
}
"""
CELL_TYPES = "() => window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.type)"
COLUMN = """
(root, name) => {
  const heads = [...root.querySelectorAll('.sl-colhead')];
  const head = heads.find(one => one.querySelector('.sl-collabel').textContent === name);
  if (!head) return [];
  const at = head.getAttribute('aria-colindex');
  const box = root.querySelector('.sl-grid').getBoundingClientRect();
  return [...root.querySelectorAll('.sl-row:not(.sl-missing)')]
    .filter(row => row.getBoundingClientRect().bottom > box.top + 24 && row.getBoundingClientRect().top < box.bottom)
    .sort((a, b) => a.getAttribute('aria-rowindex') - b.getAttribute('aria-rowindex'))
    .map(row => row.querySelector(`.sl-cell[aria-colindex="${at}"]`)?.textContent ?? null);
}
"""
"""The cells of a column in the rows that are in sight, from top to bottom."""


class Notebook:
    """An open notebook.

    Parameters
    ----------
    page : Page
        Shows it.
    url : str
        Where the front end is.
    name : str
        The notebook's file.
    """

    def __init__(self, page: Page, url: str, name: str) -> None:
        self.page = page
        self.url = url
        self.name = name

    def load(self) -> None:
        """Load the page, or load it again, with the notebook open; there may be no kernel."""
        open_notebook(self.page, self.url, self.name)

    def open(self) -> None:
        """Load the page, or load it again, and wait for the kernel."""
        self.load()
        self.page.evaluate(READY)

    def add(self, code: str) -> int:
        """Append a cell; its index."""
        index: int = self.page.evaluate(ADD_CELL, code.strip())
        return index

    def run(self, code: str) -> Locator:
        """Append a cell, run it to its end and return it."""
        return self.again(self.add(code))

    def again(self, index: int) -> Locator:
        """Run a cell to its end and return it."""
        self.page.evaluate(RUN_CELL, index)
        return self.cell(index)

    def start(self, code: str) -> Locator:
        """Append a cell and run it, without waiting for its end."""
        index = self.add(code)
        self.page.evaluate(f"index => {{ ({RUN_CELL})(index); }}", index)
        return self.cell(index)

    def start_sleeping(self) -> Locator:
        """Run a cell that sleeps for a minute; returns when it does: an interrupt that comes before it began ends nothing."""
        cell = self.start("import time\nprint('sleeps', 'now')\ntime.sleep(60)")
        expect(cell.locator(".jp-OutputArea-output")).to_contain_text("sleeps now")
        return cell

    def start_from(self, index: int) -> None:
        """Run a cell and all below it, without waiting for their end."""
        self.page.evaluate(RUN_FROM, index)

    def cell(self, index: int) -> Locator:
        """Return a cell by its place."""
        return self.page.locator(".jp-Cell").nth(index)

    def show(self, code: str) -> Explorer:
        """Run code in a new cell and return the explorer that it shows."""
        explorer = Explorer(self.run(code).locator(".sl-root"))
        expect(explorer.root).to_be_visible()
        explorer.root.scroll_into_view_if_needed()
        return explorer

    def ask(self, expression: str) -> Any:
        """Return what an expression is in the kernel, once the kernel is free."""
        return ast.literal_eval(self.page.evaluate(ASK, expression))

    def command(self, name: str) -> None:
        """Run a command of the front end."""
        self.page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def interrupt(self) -> None:
        """Interrupt the kernel."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()")

    def wait_for(self, expression: str) -> None:
        """Wait until an expression is true in the kernel."""
        deadline = time.monotonic() + WAIT_S
        while not self.ask(f"bool({expression})"):
            assert time.monotonic() < deadline, f"{expression} did not come true within {WAIT_S:g} s"
            self.page.wait_for_timeout(50)

    @property
    def cell_types(self) -> list[str]:
        """What the cells are, in order."""
        types: list[str] = self.page.evaluate(CELL_TYPES)
        return types


class Explorer:
    """One explorer on the page: what people see of it, and what they press.

    Parameters
    ----------
    root : Locator
        Its outermost element.
    """

    def __init__(self, root: Locator) -> None:
        self.root = root
        self.page = root.page
        self.state = root.locator(".sl-state")
        self.grid = root.get_by_role("grid", name="Messages")
        self.rows = root.locator(".sl-row:not(.sl-missing)")
        self.inspector = root.locator(".sl-inspector")
        self.pipeline = root.get_by_role("group", name="Pipeline")
        self.status = root.locator(".sl-statusline")
        self.notice = root.locator(".sl-notice")
        self.filter = root.locator(".sl-filter")
        self.editor = self.inspector.locator(".cm-content")

    def expect_state(self, state: str) -> None:
        """Wait for a state. Bring it into sight first: what nobody sees gets no frames."""
        self.root.scroll_into_view_if_needed()
        expect(self.state).to_have_attribute("data-state", state)

    def button(self, name: str) -> Locator:
        """Return a button by its label."""
        return self.root.get_by_role("button", name=name, exact=True)

    def press(self, name: str) -> None:
        """Press a button."""
        self.button(name).click()

    def tab(self, name: str) -> Locator:
        """Return one of the tabs of the main part."""
        return self.root.get_by_role("tablist", name="View").get_by_role("tab", name=name)

    def node(self, label: str) -> Locator:
        """Return a node of the pipeline."""
        return self.pipeline.locator(".sl-node", has=self.page.get_by_text(label, exact=True))

    def select(self, processor: str) -> Locator:
        """Select a processor and return its panel."""
        if self.node(processor).get_attribute("aria-pressed") != "true":
            self.node(processor).click()
        panel = self.root.get_by_role("region", name=f"Processor {processor}")
        expect(panel).to_be_visible()
        return panel

    def column(self, name: str) -> list[str]:
        """Return the cells of a column that are in sight, from top to bottom."""
        texts: list[str] = self.root.evaluate(COLUMN, name)
        return texts

    def expect_column(self, name: str, condition: str) -> list[str]:
        """Wait until JavaScript of ``texts`` (the column's cells in sight) is true; the cells."""
        handle = self.root.element_handle()
        self.page.wait_for_function(
            f"([root, name]) => {{ const texts = ({COLUMN})(root, name); return {condition}; }}", arg=[handle, name]
        )
        return self.column(name)

    def row(self, text: str) -> Locator:
        """Return the row in sight that has a cell of exactly this text."""
        return self.rows.filter(has=self.page.get_by_text(text, exact=True)).first

    def open_message(self, text: str) -> Locator:
        """Click on a cell and return the panel of the message that opens."""
        self.row(text).get_by_text(text, exact=True).first.click()
        panel = self.root.get_by_role("region", name="Message")
        expect(panel.locator("h4")).not_to_have_text("Message")
        return panel

    def write(self, code: str) -> None:
        """Put code in the place of what is in the code editor."""
        expect(self.editor).to_be_visible()
        self.editor.focus()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(code)


def clipboard(page: Page) -> str:
    """Return what was copied last."""
    text: str = page.evaluate("() => navigator.clipboard.readText()")
    return text


@contextmanager
def notebook_in(folder: Path, url: str, chromium: str) -> Iterator[Notebook]:
    """Open a new notebook of the folder that a front end runs in, in a browser of its own."""
    name = f"explored-{uuid.uuid4().hex[:8]}.ipynb"
    nbformat.write(new_notebook(cells=[], metadata={"kernelspec": KERNEL}), folder / name)
    with page_of(chromium) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        notebook = Notebook(page, url, name)
        notebook.open()
        yield notebook
        # Its streams would go on beside the tests of other notebooks.
        page.evaluate(SHUT_DOWN)
