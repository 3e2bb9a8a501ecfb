"""Processors written in the explorer: their code, tried out, attached, and taken out again as the text of a cell."""

from __future__ import annotations

import inspect
import keyword
import linecache
import textwrap
import traceback
import types
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from streamlab.errors import InvalidValue
from streamlab.processors import name_of, refuse_generator
from streamlab.texts import clean, said
from streamlab.views import functions, in_time
from streamlab.views.printed import caught
from streamlab.views.trial import MESSAGES, Outcome, preview

if TYPE_CHECKING:
    from streamlab.processors import Processor
    from streamlab.streams import Stream
    from streamlab.views.session import ShownStream

__all__ = ["apply", "cell_text", "code_of", "compile_processor", "names", "pick", "try_out"]

Function = Callable[[Any], Any]
ROWS = 20
MAX_CODE = 100_000
MAX_NAMES = 500
SOURCE = "__streamlab_source__"
TEMPLATE = "def {name}(value):\n    return value\n"
_numbers = iter(range(1, 1 << 62))


def compile_processor(code: str, namespace: Mapping[str, Any] | None = None) -> Function:
    """Return the function that code defines last.

    It sees the names of the user's namespace as they are now; what it defines itself stays its own.

    Raises
    ------
    InvalidValue
        No code of Python, or code that defines no function; the message says where.
    """
    if len(code) > MAX_CODE:
        raise InvalidValue(f"a processor has at most {MAX_CODE:,} characters, not {len(code):,}: import the rest of it")
    code = textwrap.dedent(code).rstrip() + "\n"  # lines keep their numbers
    file = f"<processor {next(_numbers)}>"
    try:
        tree = functions.parsed(code)
        compiled = compile(tree, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise InvalidValue(f"line {error.lineno}, column {error.offset}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidValue(f"Python cannot read this: {error}") from None
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)  # tracebacks show it
    scope = {**(_user_namespace() if namespace is None else namespace), "__name__": "__main__"}
    _execute(compiled, scope, file)
    made = functions.last_defined(tree, scope)
    if made is None:
        raise InvalidValue("this defines no function: write def name(value): ... with the value as its only argument")
    refuse_generator(made[1])
    return _from_here(*made, code, file)


def _execute(compiled: types.CodeType, scope: dict[str, Any], file: str) -> None:
    """Run what defines functions, for as long as a trial may take; what goes wrong in it is told with the line."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            exec(compiled, scope)  # noqa: S102 - the user's own code, in the user's own kernel
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
            failed.append(error)

    if not in_time.in_a_thread(run):
        raise InvalidValue(
            f"this is not through after {in_time.LIMIT_S:g} s: what takes time belongs into the function, or into a cell"
        )
    for error in failed:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        raise InvalidValue(f"line {lines[-1] if lines else 1}: {said(error)}")


def _from_here(name: str, function: Function, code: str, file: str) -> Function:
    """Have a function know its code; what was not made by that alone stays as it is, and is wrapped."""
    if not isinstance(function, types.FunctionType) or function.__code__.co_filename != file:
        inner = function

        def function(value: Any) -> Any:
            return inner(value)

        function.__name__ = name
    setattr(function, SOURCE, (code, name))
    return function


def _user_namespace() -> dict[str, Any]:
    """Return the names that cells have."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return {} if shell is None else dict(shell.user_ns)


def code_of(stream: Stream[Any], name: str) -> dict[str, Any]:
    """Return a processor's code, whether it can be changed here, and where it stands; a template for a name that is free."""
    if name not in stream.processors.names:
        return {"code": TEMPLATE.format(name=_identifier(name)), "editable": True, "where": "new"}
    entry = stream.processors[name]
    if entry.kind != "processor":
        code = functions.source_of(inspect.unwrap(entry.function), _identifier(name)) if entry.kind == "filter" else None
        return {"code": code or "", "editable": False, "where": f"made by {entry.kind}()"}
    source = getattr(entry.function, SOURCE, None)
    if source is not None:
        return {"code": source[0], "editable": True, "where": "written here"}
    code = functions.source_of(entry.function, _identifier(name))
    return {
        "code": TEMPLATE.format(name=_identifier(name)) if code is None else code,
        "editable": True,
        "where": f"its code is not known ({_kind(entry.function)}): Apply replaces it"
        if code is None
        else _origin(entry.function),
    }


def _kind(function: Function) -> str:
    if isinstance(function, type):
        return "it is a class"
    return f"it is a {'lambda' if getattr(function, '__name__', '') == '<lambda>' else clean(type(function).__name__)}"


def _origin(function: Function) -> str:
    """Tell where a function's code comes from, and what Apply would do to it."""
    if missing := functions.around(function):
        return f"made in another function, whose {' and '.join(missing)} it uses: Apply replaces it by one without"
    module = function.__module__
    if module in ("__main__", None):
        return "from a cell: Apply replaces it"
    return f"from the module {clean(module)}: Apply replaces it by one that sees the notebook's names"


def _identifier(name: str) -> str:
    """Return a name that a function can have."""
    return name if name.isidentifier() and not keyword.iskeyword(name) else "process"


def names() -> list[str]:
    """Return the names of the user's own functions that take one value; of other objects that can be called like that, too."""
    found = [name for name, value in _user_namespace().items() if not name.startswith("_") and functions.takes_one(value)]
    return sorted(found)[:MAX_NAMES]


def pick(stream: Stream[Any], name: str) -> str:
    """Attach a function of the user's namespace; its name in the list."""
    function = _user_namespace().get(name)
    if not callable(function):
        raise InvalidValue(f"there is no function {name!r} in the notebook: define it in a cell, or write it here")
    return stream.processors.define(function, name=name).name


def try_out(shown: ShownStream, name: str, code: str) -> dict[str, Any]:
    """Try code on the window's last messages: totals, the first results, the first errors, the end of what it printed."""
    with caught() as printed:
        found = preview(shown.stream, compile_processor(code), n=MESSAGES, name=name or None)
    return {
        "summary": found.summary,
        "tried": len(found.outcomes),
        "asked": found.asked,
        "ok": found.count("ok"),
        "skipped": found.count("skipped"),
        "errors": found.count("error"),
        "microseconds": found.seconds / max(len(found.outcomes), 1) * 1e6,
        "unfinished": found.unfinished,
        "rows": [_row(outcome) for outcome in found.outcomes if outcome.status != "error"][:ROWS],
        "failures": [_row(outcome) for outcome in found.errors[:ROWS]],
        "printed": printed.told(),
    }


def _row(outcome: Outcome) -> dict[str, Any]:
    row = outcome.row
    error = outcome.error
    where = str(row.seq) if row.offset is None else f"{row.partition} / {row.offset}"
    return {
        "seq": row.seq,
        "where": where,
        "status": outcome.status,
        "before": outcome.before,
        "after": outcome.shown,
        "error": None if error is None else clean(said(error), 500),
        "traceback": clean(outcome.traceback, 20_000, lines=True),
    }


def apply(stream: Stream[Any], name: str, code: str) -> str:
    """Attach code as a processor, in the place of the one of that name; a new one (no name) at the end. Its name in the list."""
    function = compile_processor(code)
    taken = name or name_of(function)
    if taken in stream.processors.names and stream.processors[taken].kind != "processor":
        raise InvalidValue(f"{taken!r} is made by {stream.processors[taken].kind}() and stays: give this function another name")
    if not name and taken in stream.processors.names:
        raise InvalidValue(
            f"there is a processor {taken!r} already: give this function another name, or select that one to edit it"
        )
    entry = stream.processors.define(function, name=name or None)
    return entry.name


def cell_text(stream: Stream[Any], name: str) -> str:
    """Return a processor as a cell that attaches it again: by its code, or where that alone is not it, by how the notebook calls it."""
    entry: Processor = stream.processors[name]
    function, variable = entry.function, _variable(stream) or "stream"
    if entry.kind != "processor":
        raise InvalidValue(f"{name} is made by {entry.kind}() and has no code of its own")
    source = getattr(function, SOURCE, None)
    if source is not None and source[1] == variable:
        raise InvalidValue(
            f"the cell would give {variable}, the name of the stream, to its function: call the function something else first"
        )
    if source is not None:
        return functions.attaching(source[0].lstrip("\n"), variable, name, source[1])
    if (module := functions.module_of(function)) is not None:
        imported = "" if module == "builtins" else f"from {module} import {function.__name__}\n\n"
        return imported + functions.attaching_known(variable, name, function.__name__)
    code = functions.source_of(function, _identifier(name))
    if code is not None and not functions.around(function):
        return functions.attaching(code, variable, name, functions.defined_by(code))
    if (known := _variable(function)) is not None:
        return functions.attaching_known(variable, name, known)
    raise InvalidValue(f"the code of {name} alone does not make it again: {code_of(stream, name)['where']}")


def _variable(wanted: object) -> str | None:
    """Return the name that the notebook has for something."""
    with suppress(Exception):
        for name, value in _user_namespace().items():
            if value is wanted and not name.startswith("_"):
                return name
    return None
