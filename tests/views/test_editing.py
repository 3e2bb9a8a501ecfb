"""Processors that are written in the explorer: compiled, attached, and taken out as a cell."""

from __future__ import annotations

import asyncio
import functools
import traceback
from collections.abc import Callable
from typing import Any

import pytest

import streamlab as sl
from streamlab.errors import InvalidValue
from streamlab.views import editing
from streamlab.views.editing import apply, cell_text, code_of, compile_processor
from tests.streaming import put_all, until
from tests.views.conftest import Explore

RATES = {"EUR": 1.0}


@pytest.fixture
def stream(app: sl.App) -> sl.Stream[Any]:
    return app.channel().stream()


def test_a_function_is_compiled_and_knows_its_code() -> None:
    function = compile_processor("\n    def double(value):\n        return 2 * value\n", {})
    assert (function(4), function.__name__) == (8, "double")
    assert getattr(function, editing.SOURCE) == "def double(value):\n    return 2 * value\n"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f(value:\n    return value", r"line 1, column 6: "),
        ("def f(value):\n  return value\n   +", r"line 3, column \d+: "),
        ("x = 1\ndef f(value): return\n  2", r"line 3, column \d+: unexpected indent"),
        ("", "defines no function: write def name"),
        ("x = 1", "defines no function: write def name"),
        ("class A:\n    def f(self): ...", "defines no function: write def name"),
        ("from math import floor", "defines no function: write def name"),
        ("import nothing_of_this_name\ndef f(value): return value", "line 1: ModuleNotFoundError: No module"),
        ("def f(value):\n    return value\nunknown()", "line 3: NameError: name 'unknown'"),
        ("raise SystemExit(3)\ndef f(value): ...", "line 1: SystemExit: 3"),
        ("def f(value): return '\0'", "null byte"),
        ("x" * 100_001, "at most 100,000 characters"),
        ("def f(value): return " + "(" * 1000 + ")" * 1000, "too many nested|Python cannot read"),
    ],
)
def test_what_is_no_function_is_told_with_its_place(code: str, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        compile_processor(code, {})


def test_the_last_of_several_functions_is_it_whatever_names_cells_have() -> None:
    code = "import math\nfrom math import floor\nlimit = 3\ndef helper(value): return floor(value)\ndef enrich(value): return helper(value) + limit"
    assert compile_processor(code, {"enrich": lambda value: None, "helper": None})(1.5) == 4
    assert compile_processor("f = lambda value: value + 1", {})(1) == 2
    assert compile_processor("import functools\n@functools.cache\ndef f(value): return value * 3", {})(2) == 6


async def test_it_may_be_async() -> None:
    assert await compile_processor("async def f(value):\n    return value + 1", {})(1) == 2


def test_names_of_the_notebook_are_seen_and_stay_as_they_are(notebook: dict[str, Any]) -> None:
    notebook["RATES"] = RATES
    function = compile_processor("total = RATES['EUR'] * 2\ndef f(value):\n    global seen\n    seen = value\n    return total")
    assert function(1) == 2.0
    assert notebook == {"RATES": RATES}


def test_code_of_a_cell_that_would_attach_something_attaches_nothing(stream: sl.Stream[Any]) -> None:
    code = "@s.processor\n@s.processor(name='other')\nasync def f(value):\n    return value"
    assert compile_processor(code, {"s": stream}).__name__ == "f"
    assert stream.processors.names == []


def test_a_function_that_can_hold_nothing_is_wrapped(stream: sl.Stream[Any], notebook: dict[str, Any]) -> None:
    notebook["bare"] = lambda _: str.upper
    assert apply(stream, "shout", "@bare\ndef f(value): ...") == "shout"
    assert stream.processors["shout"].function("a") == "A"
    assert code_of(stream, "shout")["where"] == "written here"


def test_tracebacks_show_its_code() -> None:
    function = compile_processor("def f(value):\n    missing = value['nothing']\n    return missing", {})
    with pytest.raises(KeyError) as caught:
        function({})
    text = "".join(traceback.format_exception(caught.value))
    assert "line 2, in f" in text
    assert "missing = value['nothing']" in text


async def test_errors_of_an_attached_one_show_its_line(app: sl.App, explore: Explore, notebook: dict[str, Any]) -> None:
    channel = app.channel()
    browser = explore(channel.stream())
    browser.do("apply", name="", code="def fails(value):\n    return value['nothing']")
    await put_all(channel, [{}])
    await until(lambda: browser.explorer.shown.stream.errors.total == 1)
    assert "return value['nothing']" in browser.do("error", index=0)["traceback"]
    await browser.explorer.shown.stream.stop()


class Pricer:
    def __call__(self, value: Any) -> Any:
        return value

    def price(self, value: Any) -> Any:
        return value


def plain(value: Any) -> Any:
    """Documented."""
    return value


@functools.wraps(plain)
def wrapped(value: Any) -> Any:
    return plain(value)


def factory() -> Callable[[Any], Any]:
    def inner(value: Any) -> Any:
        return value

    return inner


only = lambda value: value["id"] + 1  # noqa: E731
two = (lambda value: value, lambda value: 2)
UNKNOWN = "its code is not known: this replaces it"
KNOWN = "from a cell or a module: Apply replaces it"


@pytest.mark.parametrize(
    ("function", "code", "where"),
    [
        (plain, 'def plain(value: Any) -> Any:\n    """Documented."""\n    return value\n', KNOWN),
        (wrapped, 'def plain(value: Any) -> Any:\n    """Documented."""\n    return value\n', KNOWN),
        (factory(), "def inner(value: Any) -> Any:\n    return value\n", KNOWN),
        (only, "def found(value):\n    return value['id'] + 1\n", KNOWN),
        (two[1], editing.TEMPLATE.format(name="found"), UNKNOWN),
        (str.upper, editing.TEMPLATE.format(name="found"), UNKNOWN),
        (len, editing.TEMPLATE.format(name="found"), UNKNOWN),
        (Pricer(), editing.TEMPLATE.format(name="found"), UNKNOWN),
        (Pricer().price, editing.TEMPLATE.format(name="found"), UNKNOWN),
        (functools.partial(plain), editing.TEMPLATE.format(name="found"), UNKNOWN),
    ],
)
def test_the_code_of_a_processor_is_shown_or_said_to_be_unknown(
    stream: sl.Stream[Any], function: Any, code: str, where: str
) -> None:
    stream.processors.add(function, name="found")
    assert code_of(stream, "found") == {"code": code, "editable": True, "where": where}
    compile_processor(code, {"Any": Any})


def test_what_is_made_by_the_stream_is_not_edited(stream: sl.Stream[Any]) -> None:
    stream.filter(plain).echo(stream.app.channel())
    for name, kind in zip(stream.processors.names, ("filter", "echo"), strict=True):
        assert code_of(stream, name) == {"code": "", "editable": False, "where": f"made by {kind}()"}
        with pytest.raises(InvalidValue, match=rf"is made by {kind}\(\) and has no code"):
            cell_text(stream, name)
        with pytest.raises(InvalidValue, match=rf"is made by {kind}\(\) and stays: give this function another name"):
            apply(stream, name, "def f(value): return value")
    assert [entry.kind for entry in stream.processors] == ["filter", "echo"]


def test_a_free_name_gets_a_template(stream: sl.Stream[Any]) -> None:
    assert code_of(stream, "enrich") == {"code": "def enrich(value):\n    return value\n", "editable": True, "where": "new"}
    for name in ("", "to eur", "class", "<b>"):
        assert code_of(stream, name)["code"] == "def process(value):\n    return value\n"


def test_apply_replaces_in_place_or_adds_at_the_end(stream: sl.Stream[Any], notebook: dict[str, Any]) -> None:
    for name in ("one", "two", "three"):
        stream.processors.add(plain, name=name)
    assert apply(stream, "two", "def any_name(value): return 2") == "two"
    assert apply(stream, "", "def three(value): return 3") == "three"
    assert apply(stream, "", "def four(value): return 4") == "four"
    assert stream.processors.names == ["one", "two", "three", "four"]
    assert [entry.function(0) for entry in stream.processors] == [0, 2, 3, 4]
    with pytest.raises(InvalidValue, match="line 1"):
        apply(stream, "two", "def broken(")
    assert stream.processors["two"].function(0) == 2


@pytest.mark.parametrize(
    "code",
    [
        "def enrich(value):\n    return value + 1",
        "import math\n\ndef helper(value):\n    return value\n\ndef enrich(value):\n    return helper(value) + 1",
        "def other(value):\n    return value + 1",
        "import functools\n\n@functools.lru_cache(\n    maxsize=2\n)\ndef enrich(value):\n    return value + 1",
        "async def enrich(value):\n    return value + 1",
        "@s.processor\ndef enrich(value):\n    return value + 1",
        "enrich = lambda value: value + 1",
    ],
)
async def test_the_text_of_a_cell_attaches_the_same(
    app: sl.App, stream: sl.Stream[Any], notebook: dict[str, Any], code: str
) -> None:
    fresh = app.channel().stream()
    notebook["s"] = stream
    apply(stream, "enrich", code)
    cell = cell_text(stream, "enrich")
    exec(compile(cell, "<cell>", "exec"), {"s": fresh})
    assert fresh.processors.names == ["enrich"]
    result = fresh.processors["enrich"].function(1)
    assert (await result if asyncio.iscoroutine(result) else result) == 2


def test_the_text_of_a_cell_that_is_not_known_is_refused(stream: sl.Stream[Any]) -> None:
    stream.processors.add(str.upper, name="shout")
    with pytest.raises(InvalidValue, match="the code of shout is not known: it comes from method_descriptor"):
        cell_text(stream, "shout")


def test_a_cell_says_stream_where_no_variable_has_it(stream: sl.Stream[Any]) -> None:
    stream.processors.add(plain)
    assert cell_text(stream, "plain").startswith("@stream.processor\ndef plain(")


def test_functions_of_the_notebook_can_be_picked(stream: sl.Stream[Any], notebook: dict[str, Any]) -> None:
    code = (
        "def one(value): ...\ndef _hidden(value): ...\ndef two(a, b): ...\ndef none(): ...\ndef key(*, value): ...\n"
        "def optional(value=1): ...\ndef rest(*values): ...\nnumber = 3\nclass A: ...\n"
    )
    exec(code, notebook | {"__name__": "__main__"}, notebook)
    notebook["exec_"] = plain
    assert editing.names() == ["one", "optional", "rest"]
    assert editing.pick(stream, "one") == "one"
    assert stream.processors.names == ["one"]
    with pytest.raises(InvalidValue, match="no function 'number' in the notebook: define it in a cell"):
        editing.pick(stream, "number")


def test_outside_of_ipython_there_are_no_names() -> None:
    assert editing.names() == []
