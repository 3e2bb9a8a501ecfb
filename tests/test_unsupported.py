"""What Faust has and streamlab has not is refused, saying what to do instead."""

from __future__ import annotations

from typing import Any

import pytest

import streamlab as faust
from streamlab import cli, unsupported


@pytest.mark.parametrize("name", unsupported.APP)
def test_an_app_says_what_it_has_not(app: faust.App, name: str) -> None:
    with pytest.raises(faust.NoSuchMember, match=f"App has no {name}: "):
        getattr(app, name)
    assert not hasattr(app, name)


@pytest.mark.parametrize("name", unsupported.AGENT)
def test_an_agent_says_what_it_has_not(app: faust.App, name: str) -> None:
    agent = app.agent(app.channel())(read)
    with pytest.raises(faust.NoSuchMember, match=f"Agent has no {name}: "):
        getattr(agent, name)


@pytest.mark.parametrize("option", unsupported.AGENT_OPTIONS)
def test_an_agent_refuses_what_it_would_ignore(app: faust.App, option: str) -> None:
    with pytest.raises(faust.NotSupported, match=f"an agent takes no {option}="):
        app.agent(None, **{option: [print]})(read)
    assert app.agents == {}


@pytest.mark.parametrize("option", unsupported.SEND_OPTIONS)
async def test_nothing_replies(app: faust.App, option: str) -> None:
    with pytest.raises(faust.NotSupported, match=f"takes no {option}="):
        await app.agent(app.channel())(read).send(value=1, **{option: "x"})


def test_a_topics_options_are_not_for_a_channel_that_is_there(app: faust.App) -> None:
    with pytest.raises(faust.InvalidType, match=r"give value_type to app.topic\(\)"):
        app.agent(app.channel(), value_type=str)(read)
    assert app.agent(app.channel(), use_reply_headers=True)(read).name == "read"


def test_other_attributes_are_missing_as_anywhere(app: faust.App) -> None:
    for owner in (app, app.agent(app.channel())(read), faust, cli):
        with pytest.raises(AttributeError, match="has no attribute 'nonsense'") as caught:
            _ = owner.nonsense  # type: ignore[union-attr]
        assert not isinstance(caught.value, faust.StreamlabError)


@pytest.mark.parametrize(
    ("module", "name"),
    [*(("streamlab", name) for name in unsupported.NAMES), *(("streamlab.cli", name) for name in unsupported.CLI)],
)
def test_an_import_says_what_there_is_instead(module: str, name: str) -> None:
    with pytest.raises(faust.NotSupported, match=f"{module} has no {name}: "):
        exec(f"from {module} import {name}", {})


def test_a_schema_that_reads_headers_is_refused() -> None:
    with pytest.raises(faust.NotSupported, match=r"Detect.loads_value would never be called.*current_event\(\).headers"):
        type("Detect", (faust.Schema,), {"loads_value": lambda *_: None})
    assert type("Plain", (faust.Schema,), {"other": 1})().copy().key_type is None


def test_credentials_in_fausts_form_are_refused(topic_name: str) -> None:
    with pytest.raises(faust.ImproperlyConfigured, match="security_protocol="):
        faust.App(topic_name, broker="kafka://localhost", broker_credentials=object())


async def read(stream: faust.StreamT[Any]) -> None:
    """Stand for an agent's function."""
