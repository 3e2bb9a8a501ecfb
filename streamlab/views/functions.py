"""Functions as text: which one code defines last, the code of one that exists, and the cell that attaches it."""

from __future__ import annotations

import ast
import functools
import inspect
import os
import sys
import sysconfig
import textwrap
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "around",
    "attaching",
    "attaching_known",
    "defined_by",
    "last_defined",
    "module_of",
    "parsed",
    "source_of",
    "takes_one",
]

Function = Callable[[Any], Any]
INSTALLED = (sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib"))
NOT_USERS = tuple(f"{path}{os.sep}" for path in (*INSTALLED, Path(__file__).parents[1]))
"""Where Python, what was installed, and streamlab are."""
_Def = ast.FunctionDef | ast.AsyncFunctionDef


def parsed(code: str) -> ast.Module:
    """Return the tree of code, without decorators that would attach a function: what is tried changes nothing.

    Raises
    ------
    SyntaxError, ValueError, RecursionError, MemoryError
    """
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, _Def):
            node.decorator_list = [each for each in node.decorator_list if not _attaches(each)]
    return tree


def _attaches(decorator: ast.expr) -> bool:
    """Tell whether this is ``@stream.processor``."""
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(named, ast.Attribute) and named.attr == "processor"


def last_defined(tree: ast.Module, scope: Mapping[str, Any]) -> tuple[str, Function] | None:
    """Return what code defined last that can be called, with its name: by def, or as a lambda, a partial, an object; no class."""
    for node in reversed(tree.body):
        name = (node.name if isinstance(node, _Def) else _assigned(node)) or ""
        found: Function | None = scope.get(name)
        if callable(found) and (isinstance(node, _Def) or not isinstance(found, type)):
            return name, found
    return None


def _assigned(node: ast.stmt) -> str | None:
    """Return the name that a statement gives to something."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AnnAssign) else None
    return target.id if isinstance(target, ast.Name) else None


def takes_one(value: Any) -> bool:
    """Tell whether something of a notebook is the user's own, no class, and can be called with one value."""
    if not callable(value) or isinstance(value, type):
        return False
    try:
        inspect.signature(value).bind(None)
        return _is_users(value)
    except Exception:  # noqa: BLE001 - an object of a user may raise anything, and some have no signature
        return False


def _is_users(function: Any) -> bool:
    """Tell whether a function, or a class of such objects, comes from a cell or a module that is neither Python's nor installed."""
    while isinstance(function, functools.partial):
        function = function.func
    module = sys.modules.get(str(getattr(function, "__module__", "__main__") or "__main__"))
    file = getattr(module, "__file__", None)
    return module is not None and (module.__name__ == "__main__" or (file is not None and not file.startswith(NOT_USERS)))


def source_of(function: Function, name: str) -> str | None:
    """Return the code of a function as a def, a lambda's with this name; None where that is not known.

    Of a decorated one it is that of the function within with its decorators, but for those that attach it to a stream.
    """
    inner = inspect.unwrap(function)
    code = _read(inner, name)
    if inner is function or (code is not None and not code.startswith(("def ", "async def "))):
        return code
    return _read(function, name)  # it says that it wraps another one, and no decorator of that made it


def around(function: Function) -> tuple[str, ...]:
    """Return the names that a function uses of the function that it was made in: its code alone does not say what they are."""
    inner = inspect.unwrap(function)
    return inner.__code__.co_freevars if isinstance(inner, types.FunctionType) else ()


def _read(function: Function, name: str) -> str | None:
    if not isinstance(function, types.FunctionType):
        return None
    try:
        code = textwrap.dedent(inspect.getsource(function.__code__))
    except (OSError, TypeError):
        return None
    return _from_lambda(code, name) if function.__name__ == "<lambda>" else _unattached(code)


def _unattached(code: str) -> str | None:
    """Return a function's text without what attaches it to a stream."""
    try:
        found = ast.parse(code).body[0]
    except (SyntaxError, IndexError):
        return None
    if not isinstance(found, _Def):
        return None
    return "".join(_lines_without(code, [each for each in found.decorator_list if _attaches(each)])).lstrip("\n")


def _lines_without(code: str, decorators: Sequence[ast.expr]) -> list[str]:
    lines = code.splitlines(keepends=True)
    for each in reversed(decorators):
        del lines[each.lineno - 1 : each.end_lineno]
    return lines


def _from_lambda(code: str, name: str) -> str | None:
    """Return a lambda as a def, if there is no doubt which one of these lines it is."""
    try:
        tree = ast.parse(code)
    except SyntaxError:  # a piece of a longer statement
        return None
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
    if len(found) != 1:
        return None
    return f"def {name}({ast.unparse(found[0].args)}):\n    return {ast.unparse(found[0].body)}\n"


def attaching(code: str, stream: str, name: str, defined: str) -> str:
    """Return code as a cell that attaches what it defines under a name to the stream that a variable holds, under another name."""
    for node in reversed(ast.parse(code).body):
        if isinstance(node, _Def) and node.name == defined:
            lines = _lines_without(code, [each for each in node.decorator_list if _attaches(each)])
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1
            named = "" if defined == name else f"(name={name!r})"
            return "".join([*lines[:first], f"@{stream}.processor{named}\n", *lines[first:]])
    return f"{code}\n{attaching_known(stream, name, defined)}"


def defined_by(code: str) -> str:
    """Return the name of the function that its code begins with."""
    found = ast.parse(code).body[0]
    assert isinstance(found, _Def)
    return found.name


def module_of(function: Any) -> str | None:
    """Return the module that a function, or a class, can be imported from under its name; None for what cells define."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return None
    return module if getattr(sys.modules.get(module), name, None) is function else None


def attaching_known(stream: str, name: str, known: str) -> str:
    """Return a line that attaches what a variable holds."""
    return f"{stream}.processor({known}, name={name!r})\n"
