"""Ratios of streamlab's figures to others', measured on this machine: see README.md beside this file."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import topics
from measure import Setting, table

README = Path(__file__).with_name("README.md")
BENCHMARKS = ("in_memory", "kafka_loop", "forwarding", "frames", "import_time", "joins", "windows", "memory_use")
ON_KAFKA = {"kafka_loop", "forwarding", "frames", "memory_use"}
FULL = Setting(
    rounds=5,
    memory_values=400_000,
    messages=1_000_000,
    slow_messages=100_000,
    forwarded_messages=200_000,
    single_messages=100_000,
)
QUICK = Setting(
    join_keys=20_000,
    rounds=2,
    memory_values=40_000,
    messages=100_000,
    slow_messages=20_000,
    forwarded_messages=40_000,
    single_messages=20_000,
)
PACKAGES = ("aiokafka", "msgspec", "pandas", "faust-streaming", "quixstreams", "confluent-kafka", "streamz")
MARKS = ("<!-- measured -->\n", "<!-- end -->")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmarks", nargs="*", metavar="BENCHMARK", help=f"all by default: {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="fewer messages and rounds, to try whether it works")
    parser.add_argument("--write", action="store_true", help="write the table into README.md")
    chosen = parser.parse_args()
    names = chosen.benchmarks or list(BENCHMARKS)
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    report = measured(names, QUICK if chosen.quick else FULL)
    print(report)
    if chosen.write:
        write(report)


def measured(names: list[str], setting: Setting) -> str:
    """Run the benchmarks; return the conditions and the table in Markdown."""
    rows: list[tuple[str, ...]] = []
    with kafka(setting, needed=not ON_KAFKA.isdisjoint(names)) as there:
        for name in names:
            for comparison in importlib.import_module(name).comparisons(there):
                print(f"measuring: {comparison.what}", file=sys.stderr, flush=True)
                rows += comparison.rows(setting.rounds)
    return f"{conditions(setting)}\n\n{table(rows)}\n"


@contextmanager
def kafka(setting: Setting, *, needed: bool) -> Iterator[Setting]:
    """Start Kafka with the filled topics, if a benchmark needs it."""
    if not needed:
        yield setting
        return
    sys.path.append(str(README.parent.parent))
    from tests.kafka.harness import KafkaCluster

    cluster = KafkaCluster(jvm="-Xmx1g").start()
    try:
        print("filling topics", file=sys.stderr, flush=True)
        topics.fill(cluster.bootstrap, setting.messages, setting.single_messages)
        yield replace(setting, bootstrap=cluster.bootstrap)
    finally:
        cluster.stop()


def conditions(setting: Setting) -> str:
    """Tell when, on what and how much was measured."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, streamlab {version('streamlab-kafka')}, Python {platform.python_version()}, {packages}, "
        f"Apache Kafka 4.4.0 on the same machine, {os.cpu_count()} cores, {platform.system()} {platform.machine()}. "
        f"{setting.rounds} rounds; {setting.messages:,} messages in {topics.PARTITIONS} partitions "
        f"({setting.slow_messages:,} of them for faust-streaming and quixstreams, {setting.forwarded_messages:,} to be forwarded), "
        f"{setting.single_messages:,} in batches of one "
        f"record, {setting.memory_values:,} values in memory."
    )


def write(report: str) -> None:
    """Put the report between the marks in README.md."""
    before, after = MARKS
    pattern = re.compile(f"{re.escape(before)}.*{re.escape(after)}", re.DOTALL)
    text, times = pattern.subn(lambda _: f"{before}{report}{after}", README.read_text())
    assert times == 1, f"{README} has lost its marks"
    README.write_text(text)


if __name__ == "__main__":
    main()
