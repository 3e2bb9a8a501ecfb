"""The demonstration: JupyterLab opened on the first notebook, or the notebook run and printed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from streamlab.errors import ImproperlyConfigured

__all__ = ["execute", "launch", "notebooks"]

SHOWN_LINES = 30
FIRST = "01_first_stream.ipynb"
NEEDED = ("jupyterlab", "ipykernel", "nbclient", "nbformat")


def notebooks() -> Path:
    """Return the folder of the notebooks: the checkout's, or that of the installed package."""
    here = Path(__file__).parent
    found = next((folder for folder in (here / "notebooks", here.parent / "notebooks") if (folder / FIRST).exists()), None)
    if found is None:
        raise ImproperlyConfigured("the notebooks are not installed with streamlab; install it from a wheel or a checkout")
    return found


def launch(*, headless: bool = False) -> int:
    """Open JupyterLab on the first notebook, or run that notebook and print what its cells show.

    Returns
    -------
    int
        The exit code: 0 when all went well.

    Raises
    ------
    ImproperlyConfigured
        JupyterLab is not installed, or the notebooks are not.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ImproperlyConfigured(
            f"the demonstration needs {', '.join(missing)}: install streamlab with its extra [lab], or "
            f"{sys.executable} -m pip install {' '.join(missing)}"
        )
    return _print_run(notebooks() / FIRST) if headless else _open_lab(_writable(notebooks()))


def _writable(folder: Path) -> Path:
    # A checkout's notebooks are there to be worked on; an installed package's are not.
    if folder.parent.name != "streamlab" or folder.parent != Path(__file__).parent:
        return folder
    mine = Path.cwd() / "streamlab-demo"
    mine.mkdir(exist_ok=True)
    for notebook in folder.glob("*.ipynb"):
        if not (mine / notebook.name).exists():
            shutil.copy(notebook, mine)
    return mine


def _open_lab(folder: Path) -> int:
    # The URL that Jupyter prints leads to the notebook, also where no browser opens by itself; at this log level it is
    # nearly all that is printed.
    options = (f"--ServerApp.root_dir={folder}", f"--LabApp.default_url=/lab/tree/{FIRST}", "--log-level=WARN")
    command = [sys.executable, "-m", "jupyterlab", *options]
    if os.geteuid() == 0:
        command.append("--allow-root")
    print(f"JupyterLab opens {folder / FIRST}; Ctrl-C ends it.", flush=True)
    lab = subprocess.Popen(command)  # noqa: S603 - our own words and a path
    before = signal.signal(signal.SIGTERM, lambda *_: lab.terminate())  # or JupyterLab and its kernels would live on
    try:
        while True:
            # Ctrl-C goes to JupyterLab too, which asks whether it is meant.
            with suppress(KeyboardInterrupt):
                return lab.wait()
    finally:
        signal.signal(signal.SIGTERM, before)


def execute(path: Path, *, limit_s: float = 60) -> Any:
    """Run a notebook in a kernel of its own and return it with its outputs.

    Parameters
    ----------
    path : Path
        Not written to.
    limit_s : float
        Seconds that a cell may take.

    Returns
    -------
    NotebookNode
        A cell that raised, or took too long and was interrupted, is the last with outputs, its error among them.
    """
    import nbclient
    import nbformat
    from traitlets.config import Config

    notebook = nbformat.read(path, as_version=4)
    # Not by TCP, which others on the machine could listen to, as the kernel would warn.
    config = Config({"KernelManager": {"transport": "ipc"}})
    client = nbclient.NotebookClient(notebook, timeout=limit_s, interrupt_on_timeout=True, kernel_name="python3", config=config)
    with suppress(nbclient.exceptions.CellExecutionError):
        client.execute()
    return notebook


def _print_run(path: Path) -> int:
    notebook = execute(path)
    for cell in notebook.cells:
        _print_cell(cell)
    return int(any(output.output_type == "error" for cell in notebook.cells for output in cell.get("outputs", ())))


def _print_cell(cell: Any) -> None:
    if cell.cell_type == "markdown":
        print(f"\n{cell.source}")
        return
    print(f"\nIn [{cell.execution_count or ' '}]:\n{cell.source}")
    for output in cell.get("outputs", ()):
        lines = _text(output).rstrip().splitlines()
        more = [f"... and {len(lines) - SHOWN_LINES} more lines"] if len(lines) > SHOWN_LINES else []
        print("", *lines[:SHOWN_LINES], *more, sep="\n")


def _text(output: Any) -> str:
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return str(output.data.get("text/plain", ""))
