"""Where an error came from: what is kept of a traceback without its frames, and that as text for people.

Frames hold every value that they worked on. A log keeps a thousand errors, so it keeps the places alone, and the text is
made when somebody asks for it.
"""

from __future__ import annotations

import asyncio
import linecache
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, TracebackType

__all__ = ["Places", "forget_frames", "places_of", "trimmed"]

Places = tuple[tuple[CodeType, int], ...]
"""Code and line, from the outermost on."""

MAX_CHAIN = 4
"""So many errors that led to one another are told."""
MAX_FORGOTTEN = 100
MAX_PLACES = 40
MAX_LINES = 20
MAX_WIDTH = 400
OURS = tuple(f"{Path(package or '').parent}/" for package in (__file__, asyncio.__file__))
CAUSE = "The above exception was the direct cause of the following exception:"
GROUP = "The above exception is one of those in the following group:"
CONTEXT = "During handling of the above exception, another exception occurred:"


def _led(error: BaseException) -> list[tuple[BaseException, str]]:
    """Return the errors that led to this one, and how: those of a group, and its cause or what was handled meanwhile."""
    found = [(one, GROUP) for one in error.exceptions] if isinstance(error, BaseExceptionGroup) else []
    if error.__cause__ is not None:
        found.append((error.__cause__, CAUSE))
    elif error.__context__ is not None and not error.__suppress_context__:
        found.append((error.__context__, CONTEXT))
    return found


def _chain(error: BaseException, most: int = MAX_CHAIN) -> list[tuple[BaseException, str]]:
    """Return an error and those that led to it, each with how it led to another one before it; the latest first."""
    chain = [(error, "")]
    for one, _how in chain:  # it grows meanwhile
        if len(chain) >= most:
            break
        chain += _led(one)
    return chain[:most]


def _is_alone(error: BaseException) -> bool:
    return error.__context__ is None and error.__cause__ is None and not isinstance(error, BaseExceptionGroup)


def places_of(error: BaseException) -> tuple[Places, ...]:
    """Return the places of an error and of those that led to it; cheap enough for thousands a second."""
    if _is_alone(error):
        return (_places(error.__traceback__),)
    return tuple(_places(one.__traceback__) for one, _how in _chain(error))


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
    if not _is_alone(error):
        for one, _how in _chain(error, MAX_FORGOTTEN):
            one.__traceback__ = None


def trimmed(error: BaseException, places: Sequence[Places]) -> str:
    """Return a traceback of at most 20 lines without the frames of streamlab and asyncio; cells are named as in the notebook."""
    lines: list[str] = []
    chain = list(zip(_chain(error), places, strict=False))
    for (one, how), where in reversed(chain):
        shown = [line for code, number in where for line in _place(code, number)]
        lines += ["Traceback (most recent call last):", *shown] if shown else []
        lines += "".join(traceback.format_exception_only(one)).splitlines()
        if how:
            lines.append(how)
    if len(lines) > MAX_LINES:
        half = MAX_LINES // 2
        lines[half - 1 : -half] = [f"  … {len(lines) - MAX_LINES + 1} more lines"]
    return "\n".join(line if len(line) <= MAX_WIDTH else f"{line[: MAX_WIDTH - 1]}…" for line in lines)


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
