"""Find out why a broker does not answer.

aiokafka raises one KafkaConnectionError for a refused connection, a wrong password, TLS against plaintext and an
unknown certificate authority alike, and keeps the cause in its log. Here one connection is made by hand, and what
happens to it is told. Nothing is created.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable
from typing import Any

from aiokafka import errors as kafka
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.metadata import MetadataRequest

from streamlab.broker.kafka_client import CLIENT_ID, connect_options
from streamlab.broker.kafka_errors import topic_error, translate
from streamlab.broker.security import Security
from streamlab.errors import AuthenticationFailed, BrokerUnavailable, StreamlabError

__all__ = ["Address", "probe", "probe_any"]

Address = tuple[str, int]

TLS_ALERT = 0x1503  # the first bytes of a TLS alert, read as the length of an answer
HTTP = int.from_bytes(b"HTTP")
NO_LEADER = -1


async def probe_any(
    addresses: Iterable[Address], security: Security, topic: str | None = None, timeout_s: float = 3.0
) -> Address:
    """Return the first address of a cluster that answers (and has the topic, with leaders that answer).

    Raises
    ------
    AuthenticationFailed, TopicNotFound, BrokerUnavailable, ...
        When none does, the error of the one that came furthest.
    """
    wanted = list(addresses)
    tasks = [asyncio.create_task(probe(address, security, topic, timeout_s)) for address in wanted]
    failures: list[StreamlabError] = []
    try:
        for done in asyncio.as_completed(tasks):
            try:
                return await done
            except StreamlabError as error:
                failures.append(error)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    raise min(failures, key=lambda error: isinstance(error, BrokerUnavailable))


async def probe(address: Address, security: Security, topic: str | None, timeout_s: float) -> Address:
    """Ask one broker for the topic, and see whether the addresses that it hands out can be reached.

    Returns
    -------
    Address
        The one that was asked, when all is well.
    """
    answer = await _ask(address, security, topic, timeout_s)
    nodes = {node: (host, port) for node, host, port, *_ in answer.brokers}
    needed = set(nodes) if topic is None else _leaders(answer.topics[0], topic)
    others = [nodes[node] for node in needed if node in nodes and nodes[node] != address]
    if topic is not None or len(others) == len(needed):
        await _reach(others, address, security, timeout_s, need_all=topic is not None)
    return address


def _leaders(described: Any, topic: str) -> set[int]:
    code, _, _, partitions = described
    if code:
        raise topic_error(code, topic)
    for _, partition, leader, *_ in partitions:
        if leader == NO_LEADER:
            raise BrokerUnavailable(
                f"Partition {partition} of {topic} has no leader: the brokers that hold it are down. Start them again.",
                topic=topic,
                partition=partition,
            )
    return {leader for _, _, leader, *_ in partitions}


async def _reach(others: list[Address], asked: Address, security: Security, timeout_s: float, *, need_all: bool) -> None:
    results = await asyncio.gather(*(_ask(other, security, None, timeout_s) for other in others), return_exceptions=True)
    failed = [r for r in results if isinstance(r, BaseException)]
    if not failed or (not need_all and len(failed) < len(others)):
        return
    error = failed[0]
    if not isinstance(error, BrokerUnavailable):
        raise error
    raise BrokerUnavailable(
        f"{_name(asked)} answers, but it sends its clients on to an address that does not. {error} "
        "If the cluster is up, its advertised.listeners have to be addresses that can be reached from here."
    ) from error


async def _ask(address: Address, security: Security, topic: str | None, timeout_s: float) -> Any:
    """Connect, log in, ask for metadata, close; raise what went wrong as one of our errors."""
    host, port = address
    options = connect_options(security)
    connection = AIOKafkaConnection(host, port, client_id=CLIENT_ID, request_timeout_ms=int(timeout_s * 1000), **options)
    open_ = False
    try:
        async with asyncio.timeout(timeout_s):
            await connection.connect()
            open_ = True
            return await connection.send(MetadataRequest([topic] if topic else [], allow_auto_topic_creation=False))
    except Exception as error:
        raise _explain(error, _name(address), security, timeout_s, open_=open_) from error
    finally:
        writer = connection._writer
        connection.close()
        if writer is not None:
            writer.transport.abort()


def _name(address: Address) -> str:
    return f"{address[0]}:{address[1]}"


def _explain(  # noqa: PLR0911 - one for each cause
    error: Exception, where: str, security: Security, timeout_s: float, *, open_: bool
) -> StreamlabError:
    """Say what happened in words; the most telling signs first."""
    if isinstance(error, ssl.SSLError):
        return _explain_tls(error, where, security)
    if isinstance(error, kafka.SaslAuthenticationFailed):
        return AuthenticationFailed(
            f"{where} does not accept the user or the password ({security.sasl_mechanism}): {error}. Check them."
        )
    if isinstance(error, kafka.UnsupportedSaslMechanismError | kafka.IllegalSaslStateError):
        return AuthenticationFailed(
            f"{where} does not log in with {security.sasl_mechanism}: {error}. Use another sasl_mechanism, "
            "or another security_protocol if that port wants no login."
        )
    if isinstance(error, TimeoutError):
        return BrokerUnavailable(
            f"{where} gave no answer in {timeout_s:g} s. Is it Kafka that listens there, is it overloaded, or does a firewall swallow packets?"
        )
    if isinstance(error, kafka.KafkaConnectionError):
        return _explain_closed(error, where, security, open_=open_)
    if isinstance(error, ConnectionResetError) and security.uses_tls:
        return BrokerUnavailable(
            f"{where} broke off the TLS handshake: that port speaks plaintext. Use {_without_tls(security)} or another port."
        )
    return _explain_os(error, where)


def _explain_tls(error: ssl.SSLError, where: str, security: Security) -> BrokerUnavailable:
    if isinstance(error, ssl.SSLCertVerificationError):
        given = security.ssl_cafile or security.ssl_cadata
        advice = "No CA that was given signed it: give that of this cluster" if given else "Give the cluster's CA"
        return BrokerUnavailable(
            f"The certificate of {where} is not trusted: {error.verify_message}. {advice} as ssl_cafile= (a PEM file)."
        )
    if error.reason == "WRONG_VERSION_NUMBER" or isinstance(error, ssl.SSLEOFError):
        return BrokerUnavailable(
            f"{where} does not answer in TLS: that port speaks plaintext. Use the TLS port, or a security_protocol without SSL."
        )
    return BrokerUnavailable(
        f"TLS with {where} failed: {error.reason or error}. It may want a client certificate: ssl_certfile= and ssl_keyfile=."
    )


def _explain_closed(error: kafka.KafkaConnectionError, where: str, security: Security, *, open_: bool) -> StreamlabError:
    cause = error.__cause__
    if isinstance(cause, asyncio.IncompleteReadError) and (cause.expected or 0) >> 16 == TLS_ALERT:
        return BrokerUnavailable(
            f'{where} speaks TLS and was talked to in plaintext. Use security_protocol="{_with_tls(security)}".'
        )
    if isinstance(cause, asyncio.IncompleteReadError) and cause.expected == HTTP:
        return BrokerUnavailable(f"{where} speaks HTTP, and is no Kafka broker. Check the port.")
    if isinstance(cause, ssl.SSLError):
        return _explain_tls(cause, where, security)
    if open_ and not security.uses_sasl:
        protocol = "SASL_SSL" if security.uses_tls else "SASL_PLAINTEXT"
        return AuthenticationFailed(
            f'{where} closes the connection at the first request: it wants a login. Use security_protocol="{protocol}" with sasl_mechanism, user and password.'
        )
    if security.uses_tls:
        return BrokerUnavailable(
            f"{where} closed the TLS connection: {error}. It may want a client certificate: ssl_certfile= and ssl_keyfile=."
        )
    return BrokerUnavailable(f"{where} closed the connection: {error}. Is it Kafka that listens there?")


def _explain_os(error: Exception, where: str) -> StreamlabError:
    if isinstance(error, socket.gaierror):
        return BrokerUnavailable(f"There is no host of the name in {where} ({error.strerror}). Check the broker's address.")
    if isinstance(error, ConnectionRefusedError):
        return BrokerUnavailable(
            f"{where} refuses connections: nothing listens there. Is the broker running, and is this its port?"
        )
    return translate(error, f"Cannot connect to {where}")


def _with_tls(security: Security) -> str:
    return "SASL_SSL" if security.uses_sasl else "SSL"


def _without_tls(security: Security) -> str:
    return 'security_protocol="SASL_PLAINTEXT"' if security.uses_sasl else 'security_protocol="PLAINTEXT"'
