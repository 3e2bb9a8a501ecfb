"""What cannot run is skipped aloud, and never in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PLUGIN = """
from tests.conftest import *
from tests.kafka import harness
from tests import conftest

conftest.MISSING["kafka"] = harness.missing = lambda: "there is no Java"
"""
TESTS = """
def test_one(kafka): ...
def test_two(own_kafka): own_kafka()
def test_three(): ...
"""


def run(folder: Path, root: Path, **env: str) -> str:
    (folder / "conftest.py").write_text(PLUGIN)
    (folder / "test_it.py").write_text(TESTS)
    clean = {name: value for name, value in os.environ.items() if name != "CI"} | {"PYTHONPATH": str(root)} | env
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    return subprocess.run(command, env=clean, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_tests_without_kafka_are_skipped_in_one_line_that_says_why(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    printed = run(tmp_path, pytestconfig.rootpath)
    assert printed.count("SKIPPED: 2 tests with the marker kafka: there is no Java") == 1
    assert "1 passed, 2 skipped" in printed


def test_in_ci_they_fail(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    printed = run(tmp_path, pytestconfig.rootpath, CI="true")
    assert "SKIPPED" not in printed
    assert "1 failed, 1 passed" in printed
    assert "1 error" in printed


def test_what_is_not_selected_is_not_looked_for(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    printed = run(tmp_path, pytestconfig.rootpath, PYTEST_ADDOPTS="-m 'not kafka'")
    assert "there is no Java" not in printed
    assert "1 passed, 2 deselected" in printed
