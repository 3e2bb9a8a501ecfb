"""A real JupyterLab or Notebook 7 for browser tests, and the page that shows it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.browser.chromium import ARGUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

START_LIMIT_S = 30.0
STOP_LIMIT_S = 10.0
URL = re.compile(r"http://127\.0\.0\.1:\d+/(lab|tree)\?\S*")
OPTIONS = ("--no-browser", "--allow-root", "--port=0", "--ip=127.0.0.1")
# A workspace of the notebook's own: the default one opens again what other pages had open.
NOTEBOOK_PATHS = {"/lab?": "/lab/workspaces/{stem}/tree/{name}?", "/tree?": "/notebooks/{name}?"}
NOTIFICATIONS = "@jupyterlab/apputils-extension/notification.jupyterlab-settings"


@dataclass(frozen=True)
class Flavour:
    """A front end: the module that runs it, and the class of its settings."""

    module: str
    app: str


LAB = Flavour("jupyterlab", "LabApp")
NOTEBOOK_7 = Flavour("notebook", "JupyterNotebookApp")


@contextlib.contextmanager
def running_lab(folder: Path, log: Path, flavour: Flavour = LAB) -> Iterator[str]:
    """Run JupyterLab, or Notebook 7, on a folder, and give its URL, token included."""
    options = (*OPTIONS, f"--{flavour.app}.expose_app_in_browser=True", f"--ServerApp.root_dir={folder}")
    own = {"JUPYTER_CONFIG_DIR": "jupyter", "JUPYTER_DATA_DIR": "jupyter-data", "IPYTHONDIR": "ipython"}
    env = dict(os.environ) | {name: str(log.parent / place) for name, place in own.items()}
    # The question about news would cover the page.
    settings = log.parent / "jupyter" / "lab" / "user-settings" / NOTIFICATIONS
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    with log.open("wb") as out:
        command = [sys.executable, "-m", flavour.module, *options]
        server = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield _url(server, log)
    finally:
        _stop(server)


def _stop(server: subprocess.Popen[bytes]) -> None:
    # It has stopped its kernels by then, but waits for ever for the thread of a request that was under way.
    server.terminate()
    try:
        server.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _url(server: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_LIMIT_S
    while not (found := URL.search(log.read_text())):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)
    return found[0]


@contextlib.contextmanager
def page_of(executable: str) -> Iterator[Page]:
    """Open a browser with one page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=list(ARGUMENTS))
        try:
            yield browser.new_page(viewport={"width": 1400, "height": 1000})
        finally:
            browser.close()


# The kernel first: an indicator without a kernel is idle too. Whatever never comes ends after the limit.
COMMAND = """
command => {
  const run = async () => {
    const panel = window.jupyterapp.shell.currentWidget;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
    await window.jupyterapp.commands.execute(command);
  };
  const late = new Promise((_, fail) => setTimeout(() => fail(new Error(`${command} took too long`)), 45000));
  return Promise.race([run(), late]);
}
"""


def open_notebook(page: Page, url: str, notebook: str) -> None:
    """Open a notebook, without waiting for its kernel."""
    for home, path in NOTEBOOK_PATHS.items():
        url = url.replace(home, path.format(name=notebook, stem=notebook.removesuffix(".ipynb")))
    page.goto(url)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext")
    # Cells are there a little earlier, and are replaced once the file has been read.
    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.ready")


def run_command(page: Page, command: str) -> None:
    """Run one of the front end's commands on the notebook, once its kernel is there."""
    page.evaluate(COMMAND, command)


def open_and_run(page: Page, url: str, notebook: str) -> None:
    """Open a notebook and run all its cells."""
    open_notebook(page, url, notebook)
    run_command(page, "notebook:run-all-cells")
