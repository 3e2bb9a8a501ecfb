"""What a cell shows that ends in a stream: with a kernel, in IPython without one, and in plain Python."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

import streamlab as sl

PRELUDE = """
import streamlab as sl
app = sl.App("shown", broker="memory://shown")
plain = app.stream([1, 2, 3])
combined = app.stream([1]) & app.stream([2])
topic = app.topic("orders").stream()
closed_app = sl.App("closed", broker="memory://closed")
closed = closed_app.stream([1])
closed_app.close()
streams = [plain, combined, topic, closed]
"""


def run(code: str, *command: str) -> str:
    """Run code in a process of its own, and return what it prints; it must write no warnings and no errors."""
    source = PRELUDE + textwrap.dedent(code)
    done = subprocess.run(
        [*(command or (sys.executable,)), "-c", source], capture_output=True, text=True, check=False, timeout=50
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr + done.stdout
    return done.stdout


def test_plain_python_prints_the_repr_and_loads_no_widgets() -> None:
    out = run("""
        import sys
        for stream in streams:
            print(repr(stream), len(stream._repr_html_()) > 100)
        print(sorted({"anywidget", "ipywidgets", "IPython"} & set(sys.modules)))
    """)
    assert "<Stream: init local <PlainSource: list>>".replace(" local", "") in out
    assert out.splitlines()[-1] == "[]"


def test_ipython_without_a_kernel_shows_text_and_html_and_starts_nothing() -> None:
    out = run("""
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        for stream in streams:
            data, metadata = shell.display_formatter.format(stream)
            print(sorted(data), data["text/plain"] == repr(stream))
        print(sl.running())
    """)
    assert out.splitlines() == ["['text/html', 'text/plain'] True"] * 4 + ["<Running: nothing>"]


def test_a_kernel_shows_the_explorer_and_nothing_raises(tmp_path: Path) -> None:
    manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(tmp_path / "kernel"))
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=50)
    shown: list[dict[str, Any]] = []

    def keep(message: dict[str, Any]) -> None:
        assert message["msg_type"] not in ("error", "stream"), message["content"]
        if message["msg_type"] in ("display_data", "execute_result"):
            shown.append(message["content"])

    try:
        client.execute_interactive(textwrap.dedent(PRELUDE), output_hook=keep, timeout=50)
        for name in ("plain", "combined", "topic", "closed"):
            client.execute_interactive(name, output_hook=keep, timeout=50)
        client.execute_interactive("sl.running().stop()", output_hook=keep, timeout=50)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    both = ["text/html", "text/plain"]
    assert [sorted(content["data"]) for content in shown] == [["application/vnd.jupyter.widget-view+json", *both]] * 3 + [both]
    assert [content["metadata"].get("streamlab") for content in shown] == [{"snapshot": True}] * 3 + [None]
    assert all("display_id" in content["transient"] for content in shown[:3])


def test_without_a_kernel_a_stream_asks_for_another_repr(app: sl.App) -> None:
    with pytest.raises(NotImplementedError):
        app.stream([1])._ipython_display_()


async def test_an_explorer_says_what_it_explores(app: sl.App, explore: Any) -> None:
    browser = explore(app.stream([1]))
    assert repr(browser.explorer) == f"<Explorer: {browser.explorer.shown.stream!r}>"
