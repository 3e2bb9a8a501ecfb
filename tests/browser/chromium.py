"""Finds a browser for the tests."""

from __future__ import annotations

import functools
import shutil
import subprocess

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")


@functools.cache
def find() -> str | None:
    """Return the path of Playwright's own Chromium, else of one that the machine has, else None."""
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return next((path for path in (own, *map(shutil.which, NAMES)) if path and _starts(path)), None)


def _starts(path: str) -> bool:
    # One that Playwright downloaded may lack libraries of the system.
    try:
        return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def missing() -> str | None:
    """Return why no browser test can run here, or None."""
    return None if find() else "there is no Chromium: `playwright install chromium`, or the system's package"
