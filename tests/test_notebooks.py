"""The notebooks, run as a reader would run them: on the embedded broker, and once on Kafka."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from streamlab import demo, demo_lab
from streamlab.broker import open_broker
from streamlab.runtime.io import submit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kafka.harness import KafkaCluster

NOTEBOOKS = sorted(Path(__file__).parent.parent.joinpath("notebooks").glob("*.ipynb"))
LIMIT_S = 30
LONGEST_FUNCTION = 10

Run = Callable[[str], Any]


@contextlib.contextmanager
def live_topics(url: str) -> Iterator[None]:
    """Let the sample topics live on a cluster for the body of a ``with``."""
    broker = open_broker(url)

    async def close(flow: asyncio.Task[None]) -> None:
        flow.cancel()
        await asyncio.wait([flow])
        await broker.close()

    async def begin() -> asyncio.Task[None]:
        await demo.seed(broker, history=600)
        return asyncio.create_task(demo.flow(broker))

    flow = submit(begin()).result(LIMIT_S)
    try:
        yield
    finally:
        submit(close(flow)).result(LIMIT_S)


@pytest.fixture
def run_embedded(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("STREAMLAB_BROKER", raising=False)
    return _run


@pytest.fixture
def run_on_kafka(kafka: KafkaCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("STREAMLAB_BROKER", kafka.url)
    with live_topics(kafka.url):
        yield _run


@pytest.fixture(params=["run_embedded", pytest.param("run_on_kafka", marks=pytest.mark.kafka)])
def run(request: pytest.FixtureRequest) -> Run:
    """Both ways to run a notebook."""
    runner: Run = request.getfixturevalue(request.param)
    return runner


def _run(name: str) -> Any:
    [path] = [path for path in NOTEBOOKS if path.name.startswith(name)]
    began = time.monotonic()
    notebook = demo_lab.execute(path, limit_s=LIMIT_S)
    assert time.monotonic() - began < LIMIT_S
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert [output.evalue for output in outputs if output.output_type == "error"] == []
    return notebook


def shown(notebook: Any, source: str, mime: str = "text/plain") -> str:
    """Return what the one cell with this text in it shows."""
    [cell] = [cell for cell in notebook.cells if cell.cell_type == "code" and source in cell.source]
    [output] = cell.outputs
    return str(output.text if output.output_type == "stream" else output.data[mime])


def test_the_first_notebook_answers_its_question(run: Run) -> None:
    notebook = run("01")
    topics = shown(notebook, "topics_frame()")
    assert topics.split()[:3] == ["topic", "partitions", "messages"]
    assert "raw-events" in topics or "\n.. " in topics  # a broker with many topics has more than a frame shows
    assert "<table" in shown(notebook, "peek(5)", "text/html")
    assert "account" in shown(notebook, "async for batch", "text/html")
    assert shown(notebook, "nlargest(5)").count("a-") == 5
    totals = [float(line.split()[-1]) for line in shown(notebook, "raise sl.Skip").splitlines()[2:] if "a-" in line]
    assert totals
    assert min(totals) >= 20
    assert "large" in shown(notebook, "stream.graph()")
    assert "coffee" in shown(notebook, "orders.read(")


def test_faust_code_runs_in_the_second_notebook(run: Run) -> None:
    notebook = run("02")
    assert shown(notebook, "most_common(3)").count("(") == 3
    assert shown(notebook, "before = ") == "True"
    item, quantity = shown(notebook, '.through("expensive-orders")').split()
    assert item in demo.ITEMS
    assert int(quantity) > 0
    graph = shown(notebook, "app.graph()")
    assert "count" in graph
    assert "expensive-orders" in graph


def test_streams_and_a_table_are_joined_in_the_third_notebook(run: Run) -> None:
    notebook = run("03")
    counts = dict(re.findall(r"^(orders|payments) +(\d+)$", shown(notebook, "both.to_frame(200)"), re.MULTILINE))
    assert int(counts["orders"]) + int(counts["payments"]) == 200
    assert min(map(int, counts.values())) > 50
    assert "Payment(order_id=" in shown(notebook, "async for order, payment in paid:")
    assert "left.item" in shown(notebook, "pairs = await")
    assert shown(notebook, "soon = [").startswith("'paid after ")
    unpaid = int(shown(notebook, "unpaid = [").split(",")[0].strip("( \n"))
    assert "LeftJoin on Order.order_id, Payment.order_id within 120 s" in shown(notebook, "checked.graph()")
    counted = re.search(r"(\d+) matched, \d+ unmatched, 0 errors", shown(notebook, "checked.stats()"))
    assert counted
    assert 0 < unpaid < int(counted[1])  # how many are not paid yet depends on when the topics' ends were seen
    assert shown(notebook, '"a-03" in customers').startswith("(False, {")
    tiers = shown(notebook, 'frame["right.tier"]')
    assert all(tier in tiers for tier in ("basic", "gold", "has left"))
    assert "platinum" in shown(notebook, "platinum")
    assert "coffee" in shown(notebook, "pivot_table")
    assert shown(notebook, "nlargest(3)").count("\n") >= 3


def test_the_fourth_notebook_shows_a_stream_alive(run: Run) -> None:
    notebook = run("04")
    for source in ('start="-10m")', ".live()"):
        assert "model_id" in shown(notebook, source, "application/vnd.jupyter.widget-view+json")
        assert "snapshot of" in shown(notebook, source, "text/html")
    assert "KeyError" in shown(notebook, "stream.preview(", "text/html")
    assert "in_euros" in shown(notebook, "stream.errors.to_frame()")
    assert shown(notebook, "traceback_text").rstrip().endswith("KeyError: 'GBP'")
    assert int(shown(notebook, "stream.retry(")) > 0
    assert shown(notebook, "stream.pause()") == "True"
    assert shown(notebook, "stream.resume()") == "True"
    assert "in_euros" in shown(notebook, "stream.restart(")
    [listed, _] = [cell for cell in notebook.cells if cell.source.startswith("sl.running()")]
    assert listed.outputs[0].data["text/plain"] == "<Running: Topic: orders>"
    assert shown(notebook, "sl.running().stop()") == "<Running: nothing>"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_asks_one_question_in_its_first_cell(path: Path) -> None:
    first = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0]
    assert first.startswith("# ")
    assert first.endswith("?")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_function_of_a_notebook_is_over_ten_lines(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            code = compile(cell.source, path.name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            for node in ast.walk(code):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION
