"""What is printed while something is tried is kept apart, and nothing else is."""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from streamlab.views import in_time
from streamlab.views.printed import KEPT, caught
from tests.streaming import until
from tests.views.conftest import Explore
from tests.views.exploring import filled

if TYPE_CHECKING:
    import streamlab as sl


@pytest.fixture(autouse=True)
def streams() -> Any:
    """``sys.stdout`` and ``sys.stderr`` are after each test what they were before."""
    before = sys.stdout, sys.stderr
    yield
    assert (sys.stdout, sys.stderr) == before


async def test_the_view_shows_what_a_trial_prints_and_a_cell_has_it_below_itself(
    app: sl.App, explore: Explore, notebook: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    browser = explore((await filled(app, 3)).stream(start="earliest"))
    await until(lambda: browser.explorer.shown.window.messages == 3)
    code = (
        "import sys\nprint('once')\ndef f(order):\n    print(order['id'], '\\x1b[1m')\n"
        "    print('to stderr', file=sys.stderr)\n    return order"
    )
    printed = browser.do("try", name="", code=code)["printed"]
    each = "".join(f"{number} ␛[1m\nto stderr\n" for number in range(3))
    assert printed == {"text": f"once\n{each}", "leftOut": 0}
    assert tuple(capsys.readouterr()) == ("", "")
    browser.explorer.shown.stream.preview(lambda order: print(order["id"]))
    assert tuple(capsys.readouterr()) == ("0\n1\n2\n", "")


async def test_also_what_an_async_function_has_a_thread_print(app: sl.App, explore: Explore, notebook: dict[str, Any]) -> None:
    browser = explore((await filled(app, 2)).stream(start="earliest"))
    await until(lambda: browser.explorer.shown.window.messages == 2)
    code = "import asyncio\nasync def f(order):\n    await asyncio.to_thread(print, order['id'])"
    assert browser.do("try", name="", code=code)["printed"]["text"] == "0\n1\n"


def test_the_end_is_kept_and_the_rest_is_counted() -> None:
    with caught() as printed:
        for number in range(10_000):
            print(number)
        print("x" * KEPT, "y")
    assert printed.told() == {"text": "x" * (KEPT - 3) + " y\n", "leftOut": 48_890 + 3}


def test_two_who_catch_and_others_who_print_do_not_disturb_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    everybody, rounds = threading.Barrier(3), 200

    def catch(word: str) -> str:
        everybody.wait()
        for _ in range(rounds):
            with caught() as printed:
                print(word)
            assert printed.told()["text"] == f"{word}\n"
        return word

    def others() -> str:
        everybody.wait()
        for _ in range(rounds):
            sys.stdout.writelines(["other", "\n"])
        return "other"

    with ThreadPoolExecutor(3) as pool:
        assert {each.result() for each in [pool.submit(catch, "a"), pool.submit(catch, "b"), pool.submit(others)]}
    assert capsys.readouterr().out == "other\n" * rounds


def test_what_somebody_else_puts_in_the_place_of_stdout_meanwhile_stays() -> None:
    own, nothing = io.StringIO(), contextlib.ExitStack()
    with caught() as printed:
        nothing.enter_context(contextlib.redirect_stdout(own))
        print("to who redirects")
    print("and on")
    nothing.close()
    with caught() as again:
        print("caught")
    assert (own.getvalue(), printed.told()["text"], again.told()["text"]) == ("to who redirects\nand on\n", "", "caught\n")


async def test_after_a_function_that_never_ends_stdout_is_what_it_was(
    app: sl.App, explore: Explore, notebook: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_time, "LIMIT_S", 0.2)
    monkeypatch.setattr(in_time, "LAST_WORDS_S", 0.1)
    notebook["release"] = release = threading.Event()
    stdout = sys.stdout
    browser = explore((await filled(app, 2)).stream(start="earliest"))
    await until(lambda: browser.explorer.shown.window.messages == 2)
    found = browser.do("try", name="", code="def f(order):\n    print('begun')\n    release.wait(5)")
    assert (found["unfinished"], found["printed"]["text"], sys.stdout is stdout) == (True, "begun\n", True)
    release.set()
    for thread in threading.enumerate():
        if thread.name == "streamlab-trial":
            await asyncio.to_thread(thread.join, 5)
