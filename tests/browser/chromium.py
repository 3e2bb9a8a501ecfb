"""Finds a browser for the tests."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")


@functools.cache
def find() -> str | None:
    """Return the path of Playwright's own Chromium, else of one that the machine has, else None."""
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    if Path(own).exists():
        return own
    return next(filter(None, map(shutil.which, NAMES)), None)


def missing() -> str | None:
    """Return why no browser test can run here, or None."""
    return None if find() else "there is no Chromium: `playwright install chromium`, or the system's package"
