"""Fixtures of the explorer's tests: one JupyterLab, and a notebook for each module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.explorer import FILLED, Notebook, notebook_in
from tests.browser.lab import running_lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """JupyterLab for all tests: its folder and its URL."""
    folder = tmp_path_factory.mktemp("lab")
    work = folder / "work"
    work.mkdir()
    with running_lab(work, folder / "lab.log") as url:
        yield work, url


@pytest.fixture(scope="module")
def book(lab: tuple[Path, str], chromium: str) -> Iterator[Notebook]:
    """A notebook of the module's own that has 300 orders in a topic of its own; see ``FILLED``."""
    with notebook_in(*lab, chromium) as notebook:
        notebook.run(FILLED)
        yield notebook
