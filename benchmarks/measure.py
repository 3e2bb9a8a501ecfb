"""Sides of a comparison run in turn, each in a process of its own; their figures become rows of a table."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SIDE = Path(__file__).with_name("side.py")
LIMIT_S = 600.0
HEADS = ("what", "streamlab", "against", "its figure", "ratio (of the rounds)", "wanted")


@dataclass(frozen=True)
class Setting:
    """How much is measured, and where."""

    rounds: int
    memory_values: int
    messages: int
    """In the topic of full batches."""
    slow_messages: int
    """What peers that would take minutes for the whole topic read of it."""
    forwarded_messages: int
    """So many of the topic of full batches are written to another topic."""
    single_messages: int
    """In the topic of single-record batches."""
    join_keys: int = 100_000
    """So many keys are joined in memory."""
    bootstrap: str = ""


@dataclass(frozen=True)
class Side:
    """A function of this folder that returns its figure.

    Parameters
    ----------
    name : str
        How the table calls it.
    call : str
        ``module:function``.
    options : mapping
        What the function is called with, by name.
    at_least : float, optional
        The wanted ratio of streamlab's figure to this one.
    """

    name: str
    call: str
    options: Mapping[str, Any] = field(default_factory=dict)
    at_least: float | None = None

    def run(self) -> float:
        """Return the figure; whatever goes wrong ends the benchmark."""
        command = [sys.executable, str(SIDE), self.call, json.dumps(dict(self.options))]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        if done.returncode:
            raise RuntimeError(f"{self.name} ({self.call}) failed:\n{done.stdout}{done.stderr}")
        return float(done.stdout.split()[-1])


@dataclass(frozen=True)
class Comparison:
    """streamlab against others.

    Parameters
    ----------
    what : str
        What is measured.
    ours : Side
    others : sequence of Side
    unit : str
        Of the figures: "/s" (more is better), "s" or "MB" (less is better).
    at_most : float, optional
        The wanted bound of streamlab's own figure.
    """

    what: str
    ours: Side
    others: Sequence[Side]
    unit: str = "/s"
    at_most: float | None = None

    def rows(self, rounds: int) -> list[tuple[str, ...]]:
        """Measure every side once a round, every second round in the opposite order; return a row for each other side."""
        sides = [self.ours, *self.others]
        figures: list[list[float]] = [[] for _ in sides]
        for number in range(rounds):
            order = list(enumerate(sides))
            for index, side in order if number % 2 == 0 else reversed(order):
                figures[index].append(side.run())
        ours, *others = figures
        return [self._row(ours, side, theirs) for side, theirs in zip(self.others, others, strict=True)]

    def _row(self, ours: list[float], side: Side, theirs: list[float]) -> tuple[str, ...]:
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        ratio, ours_median = statistics.median(ratios), statistics.median(ours)
        return (
            self.what,
            self._shown(ours_median),
            side.name,
            self._shown(statistics.median(theirs)),
            f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            self._wanted(ours_median, ratio, side.at_least),
        )

    def _shown(self, figure: float) -> str:
        return f"{figure:.3f} s" if self.unit == "s" else f"{figure:,.0f}{self.unit.replace('MB', ' MB')}"

    def _wanted(self, figure: float, ratio: float, at_least: float | None) -> str:
        if self.at_most is not None:
            return f"under {self.at_most:g} {self.unit}: {'yes' if figure < self.at_most else 'NO'}"
        if at_least is not None:
            return f"{at_least:g} or more: {'yes' if ratio >= at_least else 'NO'}"
        return ""


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Return the rows as a table in Markdown that is readable as it is, too."""
    lines = [HEADS, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    text = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    text.insert(1, " | ".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in text)
