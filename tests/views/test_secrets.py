"""Nothing that an explorer says has a password, a token or a key of the broker in it."""

from __future__ import annotations

from typing import Any

import pytest

import streamlab as sl
from streamlab.errors import ImproperlyConfigured
from streamlab.views.ui import PLAIN
from tests.streaming import until
from tests.views.conftest import Explore

SECRETS = ("hunter2", "s3cret")


@pytest.fixture
def secretive() -> sl.App:
    """An app whose broker cannot be reached, with secrets in the options."""
    return sl.App(
        "secretive",
        broker="kafka://127.0.0.1:9",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_plain_username="user",
        sasl_plain_password="hunter2",
    )


async def test_no_secret_is_in_frames_replies_or_pictures(secretive: sl.App, explore: Explore) -> None:
    stream = secretive.topic("orders").stream()
    stream.processors.add(lambda value: value, name="enrich")
    browser = explore(stream)
    await until(lambda: browser.explorer.shown.state in ("retrying", "failed"))
    said: list[Any] = []
    for tab in ("messages", "errors", "graph"):
        browser.explorer.ui = {**PLAIN, "tab": tab, "selected": {"kind": "processor", "name": "enrich"}}
        said.append(browser.whole())
    assert said[0]["head"]["detail"]
    for action, args in (
        ("rows", {}),
        ("errors", {}),
        ("code", {"name": "enrich"}),
        ("open", {"seq": 1}),
        ("try", {"code": "def f(v): return v"}),
    ):
        said.append(browser.reply(action, args))
    said += [browser.explorer._bundle(), repr(browser.explorer), browser.explorer.get_state(["ui", "protocol"])]
    assert not [secret for secret in SECRETS if secret in repr(said)]
    browser.do("stop")
    await until(lambda: browser.explorer.shown.state == "stopped")
    secretive.close()


def test_an_address_with_a_password_is_refused_without_telling_it() -> None:
    with pytest.raises(ImproperlyConfigured, match="do not belong in the url") as caught:
        sl.App("secretive", broker="kafka://user:s3cret@127.0.0.1:9")
    assert "s3cret" not in str(caught.value)
