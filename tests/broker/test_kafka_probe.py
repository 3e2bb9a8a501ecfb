from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import errors as kafka_errors

from streamlab.broker import kafka_probe
from streamlab.broker.kafka import KafkaBroker
from streamlab.broker.security import Security
from streamlab.errors import AuthenticationFailed, BrokerUnavailable, StreamlabError, TopicNotFound
from tests.broker.conftest import addresses, frozen
from tests.kafka.harness import KafkaCluster

PLAIN = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": KafkaCluster.user,
    "sasl_plain_password": KafkaCluster.password,
}
WRONG = PLAIN | {"sasl_plain_password": "wrong-secret"}
TLS = PLAIN | {"security_protocol": "SASL_SSL", "ssl_cafile": str(KafkaCluster.ca_path)}
TLS_ONLY = {"security_protocol": "SSL", "ssl_cafile": str(KafkaCluster.ca_path)}
WRONG_CA = TLS | {"ssl_cafile": str(KafkaCluster.wrong_ca_path)}
SCRAM_256 = {"sasl_mechanism": "SCRAM-SHA-256"}
SCRAM_512 = {"sasl_mechanism": "SCRAM-SHA-512"}
OAUTH = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": lambda: "a-token"}


async def check(bootstrap: str, options: dict[str, Any], topic: str | None = None) -> None:
    broker = KafkaBroker(addresses(bootstrap), Security.parse(options))
    try:
        await broker.check(topic, timeout_s=2.0)
    finally:
        await broker.close()


@pytest.mark.parametrize(
    ("listener", "options"),
    [
        ("bootstrap", {}),
        ("sasl_bootstrap", PLAIN),
        ("sasl_bootstrap", PLAIN | SCRAM_256),
        ("sasl_bootstrap", PLAIN | SCRAM_512),
        ("ssl_bootstrap", TLS),
        ("ssl_bootstrap", TLS | SCRAM_256),
        ("ssl_bootstrap", TLS | SCRAM_512),
    ],
)
async def test_the_right_settings_are_accepted(
    kafka: KafkaCluster, no_leaks: None, listener: str, options: dict[str, Any]
) -> None:
    await check(getattr(kafka, listener), options)


@pytest.mark.parametrize(
    ("listener", "options", "error", "said"),
    [
        ("sasl_bootstrap", WRONG, AuthenticationFailed, "does not accept the user or the password"),
        ("sasl_bootstrap", WRONG | SCRAM_256, AuthenticationFailed, "does not accept the user or the password"),
        ("ssl_bootstrap", TLS | SCRAM_512 | {"sasl_plain_password": "x"}, AuthenticationFailed, "does not accept"),
        ("sasl_bootstrap", OAUTH, AuthenticationFailed, "does not log in with OAUTHBEARER"),
        ("bootstrap", PLAIN, AuthenticationFailed, "if that port wants no login"),
        ("sasl_bootstrap", {}, AuthenticationFailed, 'security_protocol="SASL_PLAINTEXT"'),
        ("ssl_bootstrap", TLS_ONLY, AuthenticationFailed, 'security_protocol="SASL_SSL"'),
        ("sasl_bootstrap", TLS, BrokerUnavailable, "that port speaks plaintext"),
        ("bootstrap", TLS_ONLY, BrokerUnavailable, "that port speaks plaintext"),
        ("ssl_bootstrap", {}, BrokerUnavailable, 'security_protocol="SSL"'),
        ("ssl_bootstrap", PLAIN, BrokerUnavailable, 'security_protocol="SASL_SSL"'),
        (
            "ssl_bootstrap",
            WRONG_CA,
            BrokerUnavailable,
            "No CA that was given signed it: give that of this cluster as ssl_cafile=",
        ),
        ("ssl_bootstrap", TLS | {"ssl_cafile": None}, BrokerUnavailable, "Give the cluster's CA as ssl_cafile="),
    ],
)
async def test_wrong_settings_are_told_apart_within_seconds(
    kafka: KafkaCluster, no_leaks: None, listener: str, options: dict[str, Any], error: type[StreamlabError], said: str
) -> None:
    bootstrap, began = getattr(kafka, listener), time.monotonic()
    with pytest.raises(error, match=re.escape(said)) as caught:
        await check(bootstrap, options)
    assert type(caught.value) is error
    assert bootstrap in str(caught.value)
    assert "secret" not in str(caught.value)
    assert time.monotonic() - began < 5


async def test_a_topic_that_is_not_there_is_named(kafka: KafkaCluster, no_leaks: None, topic_name: str) -> None:
    with pytest.raises(TopicNotFound, match=topic_name):
        await check(kafka.bootstrap, {}, topic_name)


@pytest.mark.parametrize(
    ("bootstrap", "said"), [("127.0.0.1:1", "refuses connections"), ("no.invalid:9092", "no host of the name in no.invalid:9092")]
)
async def test_nobody_there_is_said(no_leaks: None, bootstrap: str, said: str) -> None:
    with pytest.raises(BrokerUnavailable, match=said):
        await check(bootstrap, {})


@asynccontextmanager
async def listening(answer: bytes | None) -> AsyncIterator[str]:
    """Something that is not Kafka: silent for None, else it says so much and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is None:
            await reader.read()
        else:
            await reader.read(1)
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_an_answer_in_http_is_said(no_leaks: None) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)  # all of the request, or what it says is lost
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        with pytest.raises(BrokerUnavailable, match="speaks HTTP"):
            await check(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", {})


@pytest.mark.parametrize("options", [{}, {"security_protocol": "SSL"}], ids=["plaintext", "tls"])
async def test_silence_is_an_error_after_the_time_limit(no_leaks: None, options: dict[str, Any]) -> None:
    began = time.monotonic()
    async with listening(None) as bootstrap:
        with pytest.raises(BrokerUnavailable, match="gave no answer in 2 s"):
            await check(bootstrap, options)
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        (b"", {}),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", {}),
        (b"", {"security_protocol": "SSL"}),
        (b"220 smtp\r\n", {"security_protocol": "SSL"}),
    ],
)
async def test_something_that_is_not_kafka_is_an_error_of_ours(no_leaks: None, answer: bytes, options: dict[str, Any]) -> None:
    async with listening(answer) as bootstrap:
        with pytest.raises(BrokerUnavailable, match=bootstrap):
            await check(bootstrap, options)


async def test_one_address_that_answers_is_enough(kafka: KafkaCluster, no_leaks: None) -> None:
    began = time.monotonic()
    await check(f"127.0.0.1:1,no.invalid:9092,{kafka.bootstrap}", {})
    assert time.monotonic() - began < 2


async def test_of_several_failures_the_one_that_came_furthest_is_told(kafka: KafkaCluster, no_leaks: None) -> None:
    with pytest.raises(AuthenticationFailed):
        await check(f"127.0.0.1:1,{kafka.sasl_bootstrap}", WRONG)


async def test_an_advertised_address_that_leads_nowhere_is_explained(own_kafka: Any, no_leaks: None) -> None:
    nowhere = ",".join(f"{name}://127.0.0.1:{port}" for port, name in enumerate(("PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL"), 1))
    cluster = own_kafka(settings={"advertised.listeners": nowhere})
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1 refuses.*advertised\.listeners"):
        await check(cluster.bootstrap, {})


async def test_a_node_that_is_down_does_not_matter_while_another_answers(own_kafka: Any, no_leaks: None) -> None:
    cluster = own_kafka(nodes=2)
    cluster.kill(2)
    await check(cluster.address(1), {})


async def test_a_partition_whose_leader_is_frozen_is_seen(own_kafka: Any, no_leaks: None, topic_name: str) -> None:
    cluster = own_kafka(nodes=2)
    broker = KafkaBroker(addresses(cluster.address(1)))
    await broker.create_topic(topic_name, partitions=4)
    with frozen(cluster, 2), pytest.raises(BrokerUnavailable, match=re.escape(cluster.address(2))):
        await broker.check(topic_name, timeout_s=1.0)
    await broker.close()


def test_a_partition_without_a_leader_is_named() -> None:
    with pytest.raises(BrokerUnavailable, match="Partition 1 of t has no leader"):
        kafka_probe._leaders((0, "t", False, [(0, 0, 1), (5, 1, -1)]), "t")


async def test_a_login_that_fails_only_at_the_leader_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(*_: object) -> None:
        raise AuthenticationFailed("no")

    monkeypatch.setattr(kafka_probe, "_ask", ask)
    with pytest.raises(AuthenticationFailed, match="no"):
        await kafka_probe._reach([("b", 2)], ("a", 1), Security(), 1.0, need_all=True)


def closed_by(cause: Exception | None) -> kafka_errors.KafkaConnectionError:
    error = kafka_errors.KafkaConnectionError("Connection at h:1 closed")
    error.__cause__ = cause
    return error


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "options", "said"),
    [
        (tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), {"security_protocol": "SSL"}, "ssl_certfile="),
        (closed_by(tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED")), {"security_protocol": "SSL"}, "ssl_certfile="),
        (closed_by(None), {"security_protocol": "SSL"}, "ssl_certfile="),
        (closed_by(None), PLAIN, "Is it Kafka"),
        (
            ConnectionResetError(104, "reset by peer"),
            PLAIN | {"security_protocol": "SASL_SSL"},
            'security_protocol="SASL_PLAINTEXT"',
        ),
        (ConnectionResetError(104, "reset by peer"), {"security_protocol": "SSL"}, 'security_protocol="PLAINTEXT"'),
        (OSError(113, "No route to host"), {}, "No route to host"),
    ],
)
def test_what_cannot_be_had_here_is_explained_too(error: Exception, options: dict[str, Any], said: str) -> None:
    found = kafka_probe._explain(error, "h:1", Security.parse(options), 3.0, open_=False)
    assert isinstance(found, BrokerUnavailable)
    assert "h:1" in str(found)
    assert said in str(found)
