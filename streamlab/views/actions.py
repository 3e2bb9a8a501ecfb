"""What views can ask for: one small function an action.

An action gets the explorer and its arguments, and returns data and buffers. What it raises is shown as it is told. Those that
may take their time are named in ``APART``: they are done on threads of their own.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamlab.errors import InvalidState, InvalidValue
from streamlab.restarting import KEEP
from streamlab.views import details, editing, sections
from streamlab.views.frames_out import rows_section

if TYPE_CHECKING:
    from streamlab.failures import StreamError
    from streamlab.views.bridge import Request
    from streamlab.views.explorer import Explorer
    from streamlab.views.rows import Row

__all__ = ["ACTIONS", "APART"]

Answer = tuple[Any, list[bytes]]
Action = Callable[["Explorer", "Request"], Answer]
ASSETS = ("cm", "viz")
STATIC = Path(__file__).parent / "static"
ACTIONS: dict[str, Action] = {}
APART = frozenset(("try", "apply"))
"""These run code of the user, which takes its time."""
NOTHING: Answer = (None, [])


def _action(function: Action) -> Action:
    ACTIONS[function.__name__.removeprefix("do_")] = function
    return function


@_action
def do_ping(explorer: Explorer, args: Request) -> Answer:
    """Nothing but a sign of life, from either end."""
    return NOTHING


# The table, and single messages


@_action
def do_rows(explorer: Explorer, args: Request) -> Answer:
    """Rows of the table, from an index on."""
    where = {"place": args.number("first"), "base": args.number("base"), "era": args.number("era")}
    section, block = rows_section(explorer, args.number("count"), args.texts("columns"), **where)
    return section, [block]


def _row(explorer: Explorer, args: Request) -> Row:
    row = explorer.shown.window.row(args.number("seq"))
    if row is None:
        raise InvalidValue(
            "this message has left the window: pause the stream to keep what you look at, or make the window larger"
        )
    return row


@_action
def do_open(explorer: Explorer, args: Request) -> Answer:
    """A whole message."""
    return details.message_detail(_row(explorer, args)), []


@_action
def do_part(explorer: Explorer, args: Request) -> Answer:
    """A piece of what was withheld."""
    return details.part(_row(explorer, args), args.text("part"), args.number("offset")), []


@_action
def do_copy(explorer: Explorer, args: Request) -> Answer:
    """A value as text to be pasted."""
    value = _row(explorer, args).value
    return {"text": details.as_python(value) if args.text("as") == "python" else details.as_json(value)}, []


# The stream


@_action
def do_run(explorer: Explorer, args: Request) -> Answer:
    """Go on."""
    explorer.shown.run()
    return NOTHING


@_action
def do_pause(explorer: Explorer, args: Request) -> Answer:
    """Stop reading on, for a while."""
    explorer.shown.stream.pause()
    return NOTHING


@_action
def do_stop(explorer: Explorer, args: Request) -> Answer:
    """Stop."""
    explorer.shown.stop_soon("")
    return NOTHING


@_action
def do_clear(explorer: Explorer, args: Request) -> Answer:
    """Empty the window."""
    explorer.shown.clear()
    return NOTHING


@_action
def do_restart(explorer: Explorer, args: Request) -> Answer:
    """Read anew: from another start, in another mode, or on from where it stood."""
    feed = explorer.shown.stream.feed
    group: Any = (args.text("group").strip() or None) if "group" in args.content else KEEP
    if group == (None if feed is None else feed.group):
        group = KEEP
    explorer.shown.restart(start=_position(args.text("start").strip()), group=group)
    return NOTHING


def _position(start: str) -> Any:
    """Return a start as a cell would write it: text, or a mapping where it is written as one."""
    if start.startswith("{"):
        with suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return ast.literal_eval(start)
    return start or KEEP


@_action
def do_window(explorer: Explorer, args: Request) -> Answer:
    """Set the window's bounds."""
    shown = explorer.shown
    size_bytes = args.number("bytes") if "bytes" in args.content else None
    shown.resize(args.number("messages", shown.window.max_messages), size_bytes)
    return NOTHING


# Processors


@_action
def do_enable(explorer: Explorer, args: Request) -> Answer:
    """Switch a processor on or off."""
    live = explorer.shown.stream.processors
    (live.enable if args.flag("on") else live.disable)(args.text("name"))
    return NOTHING


@_action
def do_move(explorer: Explorer, args: Request) -> Answer:
    """Put a processor at another place."""
    explorer.shown.stream.processors.move(args.text("name"), args.number("to"))
    return NOTHING


@_action
def do_remove(explorer: Explorer, args: Request) -> Answer:
    """Take a processor out."""
    explorer.shown.stream.processors.remove(args.text("name"))
    return NOTHING


@_action
def do_code(explorer: Explorer, args: Request) -> Answer:
    """A processor's source text."""
    return editing.code_of(explorer.shown.stream, args.text("name")), []


@_action
def do_names(explorer: Explorer, args: Request) -> Answer:
    """The functions of the user's namespace."""
    return {"names": editing.names()}, []


@_action
def do_pick(explorer: Explorer, args: Request) -> Answer:
    """Add a function of the user's namespace."""
    return {"name": editing.pick(explorer.shown.stream, args.text("name"))}, []


@_action
def do_try(explorer: Explorer, args: Request) -> Answer:
    """Try code on the window's last messages; changes nothing."""
    return editing.try_out(explorer.shown, args.text("name"), args.text("code")), []


@_action
def do_apply(explorer: Explorer, args: Request) -> Answer:
    """Attach code as a processor, in the place of the one of its name."""
    return {"name": editing.apply(explorer.shown.stream, args.text("name"), args.text("code"))}, []


@_action
def do_cell(explorer: Explorer, args: Request) -> Answer:
    """A processor that was defined here, as the text of a cell."""
    return {"text": editing.cell_text(explorer.shown.stream, args.text("name"))}, []


# Errors


@_action
def do_errors(explorer: Explorer, args: Request) -> Answer:
    """Rows of the error log, newest first."""
    return sections.error_rows(explorer.shown, args.number("first"), args.number("count", 50)), []


def _errors(explorer: Explorer, indices: list[int]) -> list[StreamError]:
    kept = dict(explorer.shown.stream.errors.numbered())
    return [kept[index] for index in indices if index in kept]


@_action
def do_error(explorer: Explorer, args: Request) -> Answer:
    """One error with its traceback and its record."""
    found = _errors(explorer, [args.number("index")])
    if not found:
        raise InvalidValue("this error is gone: it was retried, or more than a thousand came after it")
    return details.error_detail(found[0]), []


@_action
def do_retry(explorer: Explorer, args: Request) -> Answer:
    """Put the records of errors through the stream again."""
    return {"retried": explorer.shown.retry(_errors(explorer, args.numbers("indices")))}, []


# Batches, and what is loaded once a page


@_action
def do_step(explorer: Explorer, args: Request) -> Answer:
    """Step through batches: on, off, or the next one."""
    if explorer.batches is None:
        raise InvalidState("there are no batches here: show stream.take(100, within=1).live()")
    wanted = args.content.get("on")
    explorer.batches.step(wanted if isinstance(wanted, bool) else None)
    return NOTHING


@_action
def do_asset(explorer: Explorer, args: Request) -> Answer:
    """The editor, or what lays graphs out: a module in JavaScript."""
    name = args.text("name")
    if name not in ASSETS:
        raise InvalidValue(f"there is no asset {name!r}")
    return {"name": name}, [(STATIC / f"{name}.js").read_bytes()]
