"""Where an error came from: what is kept of a traceback without its frames, and that as text for people.

Frames hold every value that they worked on. A log keeps a thousand errors, so it keeps the places alone, and the text is
made when somebody asks for it.
"""

from __future__ import annotations

import asyncio
import linecache
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, TracebackType

__all__ = ["Places", "forget_frames", "places_of", "trimmed"]

Places = tuple[tuple[CodeType, int], ...]
"""Code and line, from the outermost on."""

MAX_CHAIN = 4
"""So many errors that led to one another are told."""
MAX_PLACES = 40
MAX_LINES = 20
MAX_WIDTH = 400
OURS = tuple(f"{Path(package or '').parent}/" for package in (__file__, asyncio.__file__))
CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"


def _before(error: BaseException) -> tuple[BaseException | None, str]:
    """Return the error that led to this one, and how."""
    if error.__cause__ is not None:
        return error.__cause__, CAUSE
    return (None if error.__suppress_context__ else error.__context__), CONTEXT


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that led to it, the latest first."""
    at: BaseException | None = error
    for _ in range(MAX_CHAIN):
        if at is None:
            return
        yield at
        at, _how = _before(at)


def places_of(error: BaseException) -> tuple[Places, ...]:
    """Return the places of an error and of those that led to it; cheap enough for thousands a second."""
    if error.__context__ is None and error.__cause__ is None:
        return (_places(error.__traceback__),)
    return tuple(_places(one.__traceback__) for one in _chain(error))


def _places(at: TracebackType | None) -> Places:
    places = []
    while at is not None:
        places.append((at.tb_frame.f_code, at.tb_lineno))
        at = at.tb_next
    if len(places) > MAX_PLACES:
        places[MAX_PLACES // 2 : -MAX_PLACES // 2] = []
    return tuple(places)


def forget_frames(error: BaseException) -> None:
    """Let go of the frames of an error that nobody will raise, and of those that led to it."""
    error.__traceback__ = None
    if error.__context__ is not None or error.__cause__ is not None:
        for one in _chain(error):
            one.__traceback__ = None


def trimmed(error: BaseException, places: Sequence[Places]) -> str:
    """Return a traceback of at most 20 lines without the frames of streamlab and asyncio; cells are named as in the notebook."""
    lines: list[str] = []
    chain = list(zip(_chain(error), places, strict=False))
    for one, where in reversed(chain):
        shown = [line for code, number in where for line in _place(code, number)]
        lines += ["Traceback (most recent call last):", *shown] if shown else []
        lines += "".join(traceback.format_exception_only(one)).splitlines()
        if one is not error:
            lines.append(_how(chain, one))
    if len(lines) > MAX_LINES:
        half = MAX_LINES // 2
        lines[half - 1 : -half] = [f"  … {len(lines) - MAX_LINES + 1} more lines"]
    return "\n".join(line if len(line) <= MAX_WIDTH else f"{line[: MAX_WIDTH - 1]}…" for line in lines)


def _how(chain: list[tuple[BaseException, Places]], led: BaseException) -> str:
    return next(how for before, how in (_before(one) for one, _ in chain) if before is led)


def _place(code: CodeType, number: int) -> list[str]:
    if code.co_filename.startswith(OURS):
        return []
    line = linecache.getline(code.co_filename, number).strip()
    return [f"  {_file(code.co_filename)}, line {number}, in {code.co_name}", *([f"    {line}"] if line else [])]


def _file(name: str) -> str:
    """Name a file, and a notebook's cell as IPython does; that is asked only where it runs anyway."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    cell = None if shell is None else shell.compile.format_code_name(name)
    return f'File "{name}"' if cell is None else " ".join(cell)
