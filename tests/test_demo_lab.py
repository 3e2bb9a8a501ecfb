"""The two ways to show the demonstration."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat
import pytest

from streamlab import demo_lab
from streamlab.errors import ImproperlyConfigured

if TYPE_CHECKING:
    from pathlib import Path


def test_the_notebooks_of_a_checkout_are_worked_on_in_place() -> None:
    folder = demo_lab.notebooks()
    assert demo_lab._writable(folder) == folder


def test_the_notebooks_of_an_installed_package_are_copied_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "streamlab"
    (package / "notebooks").mkdir(parents=True)
    (package / "notebooks" / demo_lab.FIRST).write_text("fresh")
    monkeypatch.setattr(demo_lab, "__file__", str(package / "demo_lab.py"))
    monkeypatch.chdir(tmp_path)
    copied = demo_lab._writable(demo_lab.notebooks())
    (copied / demo_lab.FIRST).write_text("edited")
    assert demo_lab._writable(demo_lab.notebooks()) == copied == tmp_path / "streamlab-demo"
    assert (copied / demo_lab.FIRST).read_text() == "edited"


def test_notebooks_that_are_nowhere_are_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_lab, "__file__", str(tmp_path / "streamlab" / "demo_lab.py"))
    with pytest.raises(ImproperlyConfigured, match="wheel or a checkout"):
        demo_lab.notebooks()


class FakeLab:
    """A JupyterLab that is interrupted once before it ends."""

    commands: list[list[str]]

    def __init__(self, command: list[str]) -> None:
        self.commands.append(command)
        self._interrupted = False

    def wait(self) -> int:
        if not self._interrupted:
            self._interrupted = True
            raise KeyboardInterrupt
        return 5


def test_launch_opens_jupyterlab_on_the_first_notebook_and_returns_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeLab.commands = []
    monkeypatch.setattr(subprocess, "Popen", FakeLab)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert demo_lab.launch() == 5
    [command] = FakeLab.commands
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--LabApp.default_url=/lab/tree/{demo_lab.FIRST}" in command
    assert "--allow-root" in command


def write_notebook(folder: Path, *sources: str) -> None:
    cells = [nbformat.v4.new_markdown_cell("# A question")] + [nbformat.v4.new_code_cell(source) for source in sources]
    (folder / demo_lab.FIRST).parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / demo_lab.FIRST)


def test_who_ends_the_demonstration_ends_jupyterlab(tmp_path: Path) -> None:
    (tmp_path / "jupyterlab.py").write_text("import time; print('up', flush=True); time.sleep(600)")
    code = "import sys; from streamlab import demo_lab; sys.exit(demo_lab._open_lab(demo_lab.notebooks()))"
    demo = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    with demo, demo.stdout as out:
        assert [next(out).split()[0], next(out).strip()] == ["JupyterLab", "up"]
        demo.terminate()
        assert out.read() == ""  # only when whoever could write is gone
        assert demo.wait(20) == 256 - signal.SIGTERM


def test_a_headless_launch_prints_what_the_cells_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_notebook(tmp_path, "print('shown')", "6 * 7", "print('line\\n' * 100)")
    monkeypatch.setattr(demo_lab, "notebooks", lambda: tmp_path)
    assert demo_lab.launch(headless=True) == 0
    printed = capsys.readouterr().out
    assert "# A question" in printed
    assert "shown" in printed
    assert "\n42\n" in printed
    assert "line\n... and 70 more lines\n" in printed


def test_a_headless_launch_prints_the_error_that_ended_it_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_notebook(tmp_path, "1 / 0", "print('never' + ' seen')")
    monkeypatch.setattr(demo_lab, "notebooks", lambda: tmp_path)
    assert demo_lab.launch(headless=True) == 1
    printed = capsys.readouterr().out
    assert "ZeroDivisionError" in printed
    assert "never seen" not in printed


def test_a_cell_that_takes_too_long_is_interrupted(tmp_path: Path) -> None:
    write_notebook(tmp_path, "import time; time.sleep(60)")
    [error] = demo_lab.execute(tmp_path / demo_lab.FIRST, limit_s=2).cells[1].outputs
    assert error.ename == "KeyboardInterrupt"


@pytest.mark.parametrize("headless", [True, False])
def test_without_jupyterlab_it_says_how_to_get_it(headless: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_lab, "NEEDED", ("nbformat", "no_lab_here"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImproperlyConfigured, match=r"needs no_lab_here: .*-m pip install no_lab_here$"):
        demo_lab.launch(headless=headless)
    assert list(tmp_path.iterdir()) == []
