"""How the explorer behaves under load, in JupyterLab in Chromium, on Kafka: see README.md beside this file."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import psutil

sys.path.append(str(Path(__file__).parent.parent))

from explorer_cells import APP, BUSY, CPU, EXTREMES, SLEEP, STREAM, produce

from tests.browser.chromium import find
from tests.browser.explorer import KERNEL, Explorer, Notebook
from tests.browser.lab import page_of, running_lab
from tests.browser.meters import WATCH_SOCKETS, Meters, slope
from tests.kafka.harness import KafkaCluster

if TYPE_CHECKING:
    from collections.abc import Callable

SCENARIOS = ("load", "many", "busy", "extremes")
EXPLORERS = 20


@dataclass
class Report:
    """The table's lines: scenario, what, figure, limit."""

    lines: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, scenario: str, what: str, figure: str, limit: str = "", *, good: bool = True) -> None:
        wanted = f"{limit}: {'yes' if good else 'NO'}" if limit else ""
        self.lines.append((scenario, what, figure, wanted))
        print(f"  {what}: {figure}  {wanted}", file=sys.stderr, flush=True)

    def __str__(self) -> str:
        lines = [("scenario", "what", "figure", "wanted"), *self.lines]
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        rows = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines]
        rows.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
        return "\n".join(rows)


@dataclass(frozen=True)
class Bench:
    """One notebook in one page, beside one broker."""

    book: Notebook
    meters: Meters
    kafka: KafkaCluster
    report: Report
    seconds: float
    """How long memory is watched; the rest takes a few seconds each."""

    def show(self, code: str) -> Explorer:
        return self.book.show(code)

    def fluency(self, scenario: str, *, views: int = 1) -> None:
        """Measure what holds in every scenario: frames, bytes, answers, scrolling."""
        add = self.report.add
        traffic = self.meters.traffic(self.seconds / 8)
        frames = [rate for rate in traffic.frames_per_s.values() if rate]
        add(scenario, "updates of a view", f"{max(frames, default=0):.1f}/s", "at most 10/s", good=max(frames, default=0) < 10.5)
        add(scenario, "views in sight", str(len(frames)), good=len(frames) == views)
        add(
            scenario, "to the browser", f"{traffic.bytes_per_s / 1000:,.0f} kB/s", "2,000 at most", good=traffic.bytes_per_s < 2e6
        )
        took = sorted(self.meters.answers_ms(self.seconds / 8))
        middle, late = took[len(took) // 2], took[min(int(len(took) * 0.99), len(took) - 1)]
        add(scenario, f"1+1, median and 99 % of {len(took)}", f"{middle:.0f} and {late:.0f} ms", "under 100 ms", good=late < 100)
        deltas = self.meters.scroll(self.seconds / 15)
        pictures = 1000 * len(deltas) / sum(deltas)
        add(scenario, "pictures while scrolling", f"{pictures:.0f}/s", "30/s or more", good=pictures >= 30)

    def memory(self, scenario: str) -> None:
        """Watch the memory of kernel and page; both are to be flat."""
        kernel = psutil.Process(self.meters.value("os.getpid()"))
        resident, heap = [], []
        for _ in range(max(int(self.seconds / 5), 3)):
            resident.append(kernel.memory_info().rss / 1e6)
            heap.append(self.meters.heap_bytes() / 1e6)
            self.book.page.wait_for_timeout(5000)
        for what, figures in (("kernel, resident", resident), ("page, JavaScript", heap)):
            growth = slope(figures) * 12
            good = growth < max(figures) / 50
            self.report.add(
                scenario,
                f"{what}, after {5 * len(figures)} s",
                f"{figures[-1]:,.0f} MB, {growth:+.1f} MB a minute",
                "flat",
                good=good,
            )


def load(bench: Bench) -> None:
    """100,000 messages a second into one explorer."""
    bench.book.run(APP.format(url=bench.kafka.url) + CPU)
    took = sorted(bench.meters.answers_ms(3))
    bench.report.add("idle", "1+1, median and 99 %", f"{took[len(took) // 2]:.0f} and {took[int(len(took) * 0.99)]:.0f} ms")
    with produce(bench.kafka.bootstrap, 100_000):
        bench.book.run(STREAM + "running = s.run()")
        bench.book.page.wait_for_timeout(2000)
        unseen = _consumption(bench, "no view")
        bench.book.run("await s.stop()")
        explorer = bench.show(STREAM + "s")
        explorer.expect_state("paused")  # it is full for the first time
        explorer.press("Run")
        bench.book.page.wait_for_timeout(2000)
        share = _consumption(bench, "100,000/s") / unseen
        bench.report.add("100,000/s", "read, of what is read without a view", f"{share:.2f}", "0.9 or more", good=share >= 0.9)
        bench.fluency("100,000/s")
        bench.memory("100,000/s")


def _consumption(bench: Bench, scenario: str) -> float:
    """Report what is read, and what that costs the kernel's process; return the messages a second."""
    rate, cpu = bench.meters.value(f"spent({bench.seconds / 10})")
    bench.report.add(scenario, "read of what is written", f"{rate:,.0f}/s")
    bench.report.add(scenario, "the kernel's processor time", f"{cpu * 1e6:.1f} µs a message")
    assert isinstance(rate, float)
    return rate


def many(bench: Bench) -> None:
    """Twenty explorers, each of a stream of its own with 1,000 messages a second."""
    bench.book.run(APP.format(url=bench.kafka.url))
    with produce(bench.kafka.bootstrap, 1000):
        for _ in range(EXPLORERS):
            bench.show(STREAM + "s.explore(messages=5000)")
        for _ in range(2):  # full, then sliding
            bench.book.page.wait_for_timeout(6000)
            bench.book.run("for shown in sl.running(): shown.resume()")
        bench.book.page.evaluate("() => document.querySelector('.sl-root').scrollIntoView({ block: 'start' })")
        bench.book.page.wait_for_timeout(1000)
        running = bench.meters.value("len([one for one in sl.running() if not one.paused])")
        bench.report.add("20 at 1,000/s", "streams that run", str(running), "20", good=running == EXPLORERS)
        bench.fluency("20 at 1,000/s", views=2)
        bench.memory("20 at 1,000/s")


def busy(bench: Bench) -> None:
    """A cell that sleeps, and one that computes, while the stream goes on."""
    bench.book.run(APP.format(url=bench.kafka.url))
    with produce(bench.kafka.bootstrap, 2000):
        explorer = bench.show(STREAM + "s")
        explorer.expect_state("live")
        for name, code, least in (("time.sleep", SLEEP, 8), ("busy Python", BUSY, 2)):
            with bench.meters.running(code):
                bench.book.page.wait_for_timeout(500)
                rate = max(bench.meters.traffic(3).frames_per_s.values())
                bench.report.add(name, "updates of the view", f"{rate:.1f}/s", f"{least}/s or more", good=rate >= least)
                pictures = bench.meters.scroll(1.5)
                bench.report.add(name, "pictures while scrolling", f"{1000 * len(pictures) / sum(pictures):.0f}/s")
                for label, state in (("Pause", "paused"), ("Run", "live")):
                    took = bench.meters.press(label, state)
                    limit = "300 ms" if code == SLEEP else ""
                    bench.report.add(name, f"{label}, until the page shows it", f"{took:.0f} ms", limit, good=0 <= took < 300)
        with bench.meters.running(SLEEP):
            bench.book.page.wait_for_timeout(500)
            took = bench.meters.press("Stop", "stopped")
            bench.report.add("time.sleep", "Stop, until the page shows it", f"{took:.0f} ms", "300 ms", good=0 <= took < 300)


def extremes(bench: Bench) -> None:
    """500 columns, 10,000 errors a second, messages of 10 MB."""
    bench.book.run("import os\nimport streamlab as sl\n" + EXTREMES)
    for name, code in (
        ("500 columns", "show(wide, 2000)"),
        ("10,000 errors/s", "show(bad, 10000)"),
        ("10 MB each", "show(large, 4)"),
    ):
        bench.show(code)
        bench.book.page.wait_for_timeout(3000)
        bench.fluency(name)
        bench.memory(name)
        bench.book.run("await stop()")


@contextmanager
def bench(kafka: KafkaCluster, report: Report, seconds: float) -> Iterator[Bench]:
    """Start JupyterLab and a browser with an empty notebook."""
    chromium = find()
    assert chromium, "there is no Chromium: `playwright install chromium`, or the system's package"
    with tempfile.TemporaryDirectory() as folder, page_of(chromium) as page:
        work = Path(folder) / "work"
        work.mkdir()
        nbformat.write(nbformat.v4.new_notebook(cells=[], metadata={"kernelspec": KERNEL}), work / "bench.ipynb")
        page.add_init_script(WATCH_SOCKETS)
        with running_lab(work, Path(folder) / "lab.log") as url:
            book = Notebook(page, url, "bench.ipynb")
            book.open()
            yield Bench(book, Meters(page), kafka, report, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"all by default: {', '.join(SCENARIOS)}")
    parser.add_argument("--quick", action="store_true", help="30 seconds of each load, not 300")
    chosen = parser.parse_args()
    report = Report()
    for name in chosen.scenarios or SCENARIOS:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        cluster = KafkaCluster(jvm="-Xmx1g").start()
        try:
            with bench(cluster, report, 30.0 if chosen.quick else 300.0) as ready:
                run: Callable[[Bench], None] = globals()[name]
                run(ready)
        finally:
            cluster.stop()
    print(f"{conditions()}\n\n{report}")


def conditions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("jupyterlab", "ipykernel", "anywidget", "aiokafka", "playwright"))
    loads: Any = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, streamlab {version('streamlab-kafka')}, {packages}, {os.cpu_count()} cores, load {loads}."
    )


if __name__ == "__main__":
    main()
