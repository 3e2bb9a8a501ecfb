"""A real JupyterLab for browser tests, and the page that shows it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.browser.chromium import ARGUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

START_LIMIT_S = 30.0
URL = re.compile(r"http://127\.0\.0\.1:\d+/lab\S*")
OPTIONS = ("--no-browser", "--allow-root", "--port=0", "--ip=127.0.0.1", "--LabApp.expose_app_in_browser=True")
NOTIFICATIONS = "@jupyterlab/apputils-extension/notification.jupyterlab-settings"


@contextlib.contextmanager
def running_lab(folder: Path, log: Path) -> Iterator[str]:
    """Run JupyterLab on a folder, and give its URL, token included."""
    command = [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.root_dir={folder}"]
    env = dict(os.environ) | {"JUPYTER_CONFIG_DIR": str(log.parent / "jupyter"), "IPYTHONDIR": str(log.parent / "ipython")}
    # The question about news would cover the page.
    settings = log.parent / "jupyter" / "lab" / "user-settings" / NOTIFICATIONS
    settings.parent.mkdir(parents=True)
    settings.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    with log.open("wb") as out:
        server = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield _url(server, log)
    finally:
        server.terminate()
        server.wait(10)


def _url(server: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_LIMIT_S
    while not (found := URL.search(log.read_text())):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")
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
RUN_ALL = """
() => {
  const run = async () => {
    const panel = window.jupyterapp.shell.currentWidget;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
    await window.jupyterapp.commands.execute('notebook:run-all-cells');
  };
  const late = new Promise((_, fail) => setTimeout(() => fail(new Error('the cells took too long')), 45000));
  return Promise.race([run(), late]);
}
"""


def open_and_run(page: Page, url: str, notebook: str) -> None:
    """Open a notebook and run all its cells."""
    page.goto(url.replace("/lab?", f"/lab/tree/{notebook}?"))
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext")
    page.evaluate(RUN_ALL)
