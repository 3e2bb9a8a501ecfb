"""Processors that are written in the explorer: compiled, attached, and taken out as a cell."""

from __future__ import annotations

import asyncio
import functools
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from IPython.core.getipython import get_ipython

import streamlab as sl
from streamlab.errors import InvalidType, InvalidValue
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
    assert getattr(function, editing.SOURCE) == ("\ndef double(value):\n    return 2 * value\n", "double")


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
        ("\n\nraise KeyboardInterrupt\ndef f(value): ...", "line 3: KeyboardInterrupt$"),
        ("\n\ndef f(value):\n    retrun value", "line 4, column 12: "),
        ("class E(Exception):\n    def __str__(self): return 1 / 0\nraise E", "line 3: E: <E that cannot be shown"),
        ("def f(value):\n    yield value", "f yields, so that a generator would come out of it"),
        ("async def f(value):\n    yield value", "f yields, so that a generator would come out of it"),
        ("def f(value): return '\0'", "null byte"),
        ("x" * 100_001, "at most 100,000 characters"),
        ("def f(value): return " + "(" * 1000 + ")" * 1000, "too many nested|Python cannot read"),
    ],
)
def test_what_is_no_function_is_told_with_its_place(code: str, said: str) -> None:
    with pytest.raises((InvalidValue, InvalidType), match=said):
        compile_processor(code, {})


def test_the_last_of_several_functions_is_it_whatever_names_cells_have() -> None:
    code = "import math\nfrom math import floor\nlimit = 3\ndef helper(value): return floor(value)\ndef enrich(value): return helper(value) + limit"
    assert compile_processor(code, {"enrich": lambda value: None, "helper": None})(1.5) == 4
    assert compile_processor("f = lambda value: value + 1", {})(1) == 2
    code = "from functools import partial\ndef add(value, more): return value + more\nf = partial(add, more=5)\nLIMIT = 3"
    assert compile_processor(code, {})(1) == 6
    assert compile_processor("class A:\n    def __call__(self, value): return value + 1\nf: A = A()", {})(1) == 2
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


def using(more: int, rest: int) -> Callable[[Any], Any]:
    def inner(value: Any) -> Any:
        return value + more + rest

    return inner


only = lambda value: value["id"] + 1  # noqa: E731
two = (lambda value: value, lambda value: 2)


def decorated(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(function)
    def wrapper(value: Any) -> Any:
        return function(value)

    return wrapper


@decorated
def with_decorator(value: Any) -> Any:
    return value


TEMPLATE = editing.TEMPLATE.format(name="found")
KNOWN = "from the module tests.views.test_editing: Apply replaces it by one that sees the notebook's names"
UNKNOWN = "its code is not known (it is a {}): Apply replaces it"


@pytest.mark.parametrize(
    ("function", "code", "where"),
    [
        (plain, 'def plain(value: Any) -> Any:\n    """Documented."""\n    return value\n', KNOWN),
        (wrapped, "@functools.wraps(plain)\ndef wrapped(value: Any) -> Any:\n    return plain(value)\n", KNOWN),
        (with_decorator, "@decorated\ndef with_decorator(value: Any) -> Any:\n    return value\n", KNOWN),
        (factory(), "def inner(value: Any) -> Any:\n    return value\n", KNOWN),
        (
            using(3, 4),
            "def inner(value: Any) -> Any:\n    return value + more + rest\n",
            "made in another function, whose more and rest it uses: Apply replaces it by one without",
        ),
        (only, "def found(value):\n    return value['id'] + 1\n", KNOWN),
        (two[1], TEMPLATE, UNKNOWN.format("lambda")),
        (str.upper, TEMPLATE, UNKNOWN.format("method_descriptor")),
        (len, TEMPLATE, UNKNOWN.format("builtin_function_or_method")),
        (str, TEMPLATE, "its code is not known (it is a class): Apply replaces it"),
        (Pricer(), TEMPLATE, UNKNOWN.format("Pricer")),
        (Pricer().price, TEMPLATE, UNKNOWN.format("method")),
        (functools.partial(plain), TEMPLATE, UNKNOWN.format("partial")),
    ],
)
def test_the_code_of_a_processor_is_shown_or_said_to_be_unknown(
    stream: sl.Stream[Any], function: Any, code: str, where: str
) -> None:
    stream.processors.add(function, name="found")
    assert code_of(stream, "found") == {"code": code, "editable": True, "where": where}
    compile_processor(code, {"Any": Any, "functools": functools, "plain": plain, "decorated": decorated})


def test_what_is_made_by_the_stream_is_not_edited(stream: sl.Stream[Any]) -> None:
    stream.filter(plain).echo(stream.app.channel())
    code = 'def plain(value: Any) -> Any:\n    """Documented."""\n    return value\n'
    for name, kind, shown in zip(stream.processors.names, ("filter", "echo"), (code, ""), strict=True):
        assert code_of(stream, name) == {"code": shown, "editable": False, "where": f"made by {kind}()"}
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
    with pytest.raises(InvalidValue, match="there is a processor 'three' already: give this function another name"):
        apply(stream, "", "def three(value): return 3")
    assert apply(stream, "three", "def three(value): return 3") == "three"
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
        "\n\nfrom functools import partial\ndef add(a, b):\n    return a + b\nenrich = partial(add, b=1)\nLIMIT = 1",
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
    stream.processors.add(using(1, 2))
    with pytest.raises(InvalidValue, match="the code of shout alone does not make it again: its code is not known"):
        cell_text(stream, "shout")
    with pytest.raises(
        InvalidValue, match="the code of inner alone does not make it again: made in another function, whose more"
    ):
        cell_text(stream, "inner")


@pytest.mark.parametrize(
    "function", [plain, len, str, Pricer(), Pricer().price, functools.partial(plain), using(3, 4), two[1], Pricer]
)
async def test_what_is_known_by_name_is_attached_again_by_that(
    app: sl.App, stream: sl.Stream[Any], notebook: dict[str, Any], function: Any
) -> None:
    stream.processors.add(function, name="a")
    names = notebook | {"known": function}
    notebook.update(names)
    fresh = app.channel().stream()
    exec(compile(cell_text(stream, "a"), "<cell>", "exec"), names | {"stream": fresh})
    assert fresh.processors["a"].function is function


def test_a_cell_says_stream_where_no_variable_has_it(stream: sl.Stream[Any]) -> None:
    apply(stream, "", "def plain(value): ...")
    assert cell_text(stream, "plain").startswith("@stream.processor\ndef plain(")


def test_a_cell_that_would_take_the_streams_name_away_is_refused(stream: sl.Stream[Any], notebook: dict[str, Any]) -> None:
    notebook["s"] = stream
    apply(stream, "", "def s(value): return value")
    with pytest.raises(InvalidValue, match="the cell would give s, the name of the stream, to its function"):
        cell_text(stream, "s")


def test_functions_of_the_notebook_can_be_picked(stream: sl.Stream[Any], notebook: dict[str, Any]) -> None:
    code = (
        "def one(value): ...\ndef _hidden(value): ...\ndef two(a, b): ...\ndef none(): ...\ndef key(*, value): ...\n"
        "def optional(value=1): ...\ndef rest(*values): ...\nnumber = 3\nclass A: ...\n"
    )
    exec(code, notebook | {"__name__": "__main__"}, notebook)
    notebook["exec_"] = plain
    notebook |= {"part": functools.partial(plain, 1), "part_of_two": functools.partial(notebook["two"], 1), "pricer": Pricer()}
    notebook |= {
        "method": Pricer().price,
        "cached": functools.cache(plain),
        "stream": stream,
        "sleep": time.sleep,
        "sl": sl,
        "str": str,
    }
    notebook["liar"] = type("Liar", (), {"__call__": lambda self, value: value, "__module__": property(lambda self: 1 / 0)})()
    notebook |= {"wait": asyncio.wait_for, "get_ipython": get_ipython, "retry": pytest.raises}
    found = ["cached", "exec_", "method", "one", "optional", "part_of_two", "pricer", "rest"]
    assert editing.names() == found
    assert [editing.pick(stream, name) for name in found] == stream.processors.names == found
    with pytest.raises(InvalidValue, match="no function 'number' in the notebook: define it in a cell"):
        editing.pick(stream, "number")


def test_outside_of_ipython_there_are_no_names() -> None:
    assert editing.names() == []
