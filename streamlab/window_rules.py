"""How a stream is cut into windows: what its user said, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from streamlab.durations import idle_s, seconds
from streamlab.errors import InvalidValue
from streamlab.fields import name_of
from streamlab.windowing import Shape

__all__ = ["Emit", "Rules", "rules_of"]

Emit = Literal["final", "update"]


@dataclass(frozen=True, slots=True)
class Rules:
    """How a stream is cut into windows; what the methods of the stream were given."""

    kind: str
    shape: Shape
    by: Any
    emit: Emit
    idle_s: float | None
    max_windows: int

    def __str__(self) -> str:
        size, step, grace = (f"{ms / 1000:g}" for ms in self.shape)
        times = f"{size}, {step}" if self.kind == "hopping" else size
        by = "" if self.by is None else f", by={name_of(self.by) if self.by != () else '()'}"
        late = f", grace={grace}" if self.shape.grace_ms else ""
        idle = "" if self.idle_s is None else f", idle={self.idle_s:g}"
        return f"{self.kind}({times}{by}{late}{idle})"


def rules_of(kind: str, size: Any, step: Any, options: Mapping[str, Any]) -> Rules:
    """Return the rules; see ``Stream.tumbling``, whose options these are. InvalidValue for those that make no windows."""
    by, grace, emit, idle, max_windows = (options[name] for name in ("by", "grace", "emit", "idle", "max_windows"))
    named = {"tumbling": "size", "hopping": "size", "session": "gap"}[kind]
    step_ms = 0 if kind == "session" else _milliseconds("step" if kind == "hopping" else named, step, 1)
    shape = Shape(_milliseconds(named, size, 1), step_ms, _milliseconds("grace", grace, 0))
    if shape.step_ms > shape.size_ms:
        raise InvalidValue(f"step={step!r} is longer than size={size!r}: what comes between two windows would be in none")
    if emit not in ("final", "update"):
        raise InvalidValue(f'emit is "final", when a window closes, or "update", at every change; not {emit!r}')
    if type(max_windows) is not int or max_windows < 1:
        raise InvalidValue(f"max_windows={max_windows!r} leaves no room for a window: give a whole number of 1 or more")
    return Rules(kind, shape, by, emit, idle_s(idle), max_windows)


def _milliseconds(name: str, value: Any, least: int) -> int:
    length_s = math.nan if value is None else seconds(value, name)
    whole = math.isfinite(length_s) and math.isclose(round(length_s * 1000), length_s * 1000, rel_tol=1e-9)
    if not whole or round(length_s * 1000) < least:
        raise InvalidValue(
            f"{name}={value!r} is no length of a window: give seconds, in whole milliseconds as timestamps are, "
            f"{'at least 0' if not least else 'more than 0'}"
        )
    return round(length_s * 1000)
