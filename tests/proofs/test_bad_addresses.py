"""Brokers that cannot be reached or do not let in: an error within seconds, by every way in, that says what to do."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

import streamlab as sl
from streamlab import cli
from tests.proofs.support import app_on, plainly, rest, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kafka.harness import KafkaCluster

SECONDS = 12.0  # 5 for the first connection, 3 to find out what is wrong, and what a busy machine takes
SECRET = "correct horse battery"


async def failures_of(url: str, **options: Any) -> list[sl.StreamlabError]:
    """Return what each way in raises, all tried at once; each in time and without the password."""
    async with app_on(url, **options) as app:
        topic = app.topic("orders")
        driven = topic.stream().run()
        calls = [
            rest(topic.stream()),
            rest(topic.stream(start="earliest", stop="end")),
            rest(topic.stream(group="g")),
            topic.send(value="1"),
            plainly(topic.peek),
            plainly(topic.read),
            plainly(app.topics_frame),
            app.refresh(),
        ]
        began = time.monotonic()
        found = await asyncio.gather(*calls, return_exceptions=True)
        await until(lambda: driven.errors.total, SECONDS)
        assert time.monotonic() - began < SECONDS
        shown = [repr(app), app._repr_html_(), repr(driven), driven._repr_html_(), str(driven.stats())]
    errors = [*found, driven.errors[0].error]
    for error in errors:
        assert isinstance(error, sl.StreamlabError), repr(error)
        chain: BaseException | None = error
        while chain is not None:
            shown.append(repr(chain))
            chain = chain.__cause__
    assert not any(SECRET in text for text in shown)
    return errors  # type: ignore[return-value] # checked above


async def check(url: str, kind: type[sl.StreamlabError], words: str, **options: Any) -> None:
    for error in await failures_of(url, **options):
        assert type(error) is kind, repr(error)
        text = str(error)
        assert words in text, text
        assert text.endswith((".", "?")), text  # the last sentence says what to do


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nothing listens, and nothing will."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.mark.timeout(60)
async def test_what_cannot_be_reached_says_why(kafka: KafkaCluster, closed_port: int, no_leaks: None) -> None:
    """All at once, each on a loop of its own: what is made of a broker that does not answer waits a second for it."""
    silent = socket.create_server(("127.0.0.1", 0))
    port = silent.getsockname()[1]
    tls_url = f"kafka://{kafka.ssl_bootstrap}"
    tls = {"security_protocol": "SSL", "ssl_cafile": str(kafka.ca_path)}
    login = {"sasl_mechanism": "PLAIN", "sasl_plain_username": "alice", "sasl_plain_password": SECRET}
    wrong_ca = {**login, "security_protocol": "SASL_SSL", "ssl_cafile": str(kafka.wrong_ca_path)}
    with silent:
        cases = [
            check(f"kafka://127.0.0.1:{closed_port}", sl.BrokerUnavailable, f"127.0.0.1:{closed_port} refuses connections"),
            check("kafka://no-such-host.invalid:9092", sl.BrokerUnavailable, "no host of the name in no-such-host.invalid:9092"),
            check(f"kafka://127.0.0.1:{port}", sl.BrokerUnavailable, f"127.0.0.1:{port}"),
            check(tls_url, sl.BrokerUnavailable, "ssl_cafile", **wrong_ca),
            check(kafka.url, sl.BrokerUnavailable, "plaintext", **tls),
            check(tls_url, sl.BrokerUnavailable, "speaks TLS"),
        ]
        await asyncio.gather(*(plainly(asyncio.run, case) for case in cases))


@pytest.mark.parametrize(
    "url", ["kafka://,", "kafka://:9092", "kafka://host:port", "http://localhost:9092", "", "localhost:99999"]
)
def test_a_wrong_url_is_refused_at_once_naming_the_forms(url: Any) -> None:
    with pytest.raises(sl.StreamlabError, match="kafka://") as caught:
        sl.App("wrong", broker=url)
    assert isinstance(caught.value, sl.ImproperlyConfigured | sl.InvalidType)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
@pytest.mark.parametrize("tls", [False, True])
async def test_a_wrong_password(kafka: KafkaCluster, no_leaks: None, mechanism: str, *, tls: bool) -> None:
    await check(
        f"kafka://{kafka.ssl_bootstrap if tls else kafka.sasl_bootstrap}",
        sl.AuthenticationFailed,
        "password",
        security_protocol="SASL_SSL" if tls else "SASL_PLAINTEXT",
        sasl_mechanism=mechanism,
        sasl_plain_username="alice",
        sasl_plain_password=SECRET,
        **({"ssl_cafile": str(kafka.ca_path)} if tls else {}),
    )


async def test_no_login_where_one_is_wanted(kafka: KafkaCluster, no_leaks: None) -> None:
    await check(f"kafka://{kafka.sasl_bootstrap}", sl.AuthenticationFailed, "SASL")


async def test_the_right_login_works(kafka: KafkaCluster, topic_name: str, no_leaks: None) -> None:
    config = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": kafka.user,
        "sasl.password": kafka.password,
        "ssl.ca.location": str(kafka.ca_path),
    }
    async with app_on(f"kafka://{kafka.ssl_bootstrap}", config=config) as app:
        topic = app.topic(topic_name, value_type=str)
        await topic.send(value="in")
        stream = topic.stream(start="earliest", stop="end")
        assert await rest(stream) == ["in"]
        for text in (repr(app), app._repr_html_(), str(app.conf), repr(app.client), str(vars(app)), stream._repr_html_()):
            assert kafka.password not in text


async def test_the_command_line_says_the_same(kafka: KafkaCluster, closed_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert await plainly(cli.main, ["topics", "--broker", f"kafka://127.0.0.1:{closed_port}"]) == 1
    assert "refuses connections" in capsys.readouterr().err
    login = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "alice", "sasl.password": SECRET}
    settings = [word for key, value in login.items() for word in ("-X", f"{key}={value}")]
    assert await plainly(cli.main, ["cat", "orders", "--broker", f"kafka://{kafka.sasl_bootstrap}", *settings]) == 1
    shown = capsys.readouterr()
    assert "password" in shown.err
    assert SECRET not in shown.err + shown.out
