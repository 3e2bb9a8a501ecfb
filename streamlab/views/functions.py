"""Functions as text: which one code defines last, the code of one that exists, and the cell that attaches it."""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["UNKNOWN", "attaching", "last_defined", "parsed", "source_of"]

UNKNOWN = "its code is not known"
Function = Callable[[Any], Any]
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


def last_defined(tree: ast.Module, scope: Mapping[str, Any]) -> Function | None:
    """Return the function that code defined last, by def or as a lambda with a name."""
    for node in reversed(tree.body):
        name = node.name if isinstance(node, _Def) else _assigned(node)
        found: Function | None = scope.get(name or "")
        if callable(found) and (isinstance(node, _Def) or isinstance(found, types.FunctionType)):
            return found
    return None


def _assigned(node: ast.stmt) -> str | None:
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None


def source_of(function: Function, name: str) -> str | None:
    """Return the code of a function as a def, a lambda's with this name; None where that is not known."""
    function = inspect.unwrap(function)
    if not isinstance(function, types.FunctionType):
        return None
    try:
        code = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return None
    return _from_lambda(code, name) if function.__name__ == "<lambda>" else _without_decorators(code)


def _without_decorators(code: str) -> str | None:
    """Return a function's text from its def on."""
    lines = code.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.startswith(("def ", "async def ")):
            return "".join(lines[number:])
    return None


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


def attaching(code: str, stream: str, name: str) -> str:
    """Return code as a cell that attaches the function which it defines last to the stream that a variable holds."""
    lines = code.splitlines(keepends=True)
    for node in reversed(ast.parse(code).body):
        if isinstance(node, _Def):
            decorators = [each for each in node.decorator_list if _attaches(each)]
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1
            for each in reversed(decorators):
                del lines[each.lineno - 1 : each.end_lineno]
            named = "" if node.name == name else f"(name={name!r})"
            return "".join([*lines[:first], f"@{stream}.processor{named}\n", *lines[first:]])
        if (lambda_name := _assigned(node)) is not None:
            return f"{code}\n{stream}.processor({lambda_name}, name={name!r})\n"
    return code
