"""Brokers: the seam to a cluster and what stands behind it."""

from __future__ import annotations

import re
from typing import Any

from streamlab.broker.base import Broker
from streamlab.errors import ImproperlyConfigured

__all__ = ["open_broker"]

FORMS = "Give kafka://host:port, kafka://host1:port,host2:port, host:port, memory:// or memory://name."
DEFAULT_PORT = 9092
HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?")


def open_broker(url: str, **options: Any) -> Broker:
    """Make a broker from a url; nothing is connected yet.

    Parameters
    ----------
    url : str
        ``kafka://host:port,host2:port2`` (or ``host:port`` alone), or ``memory://`` with a name or without. As in
        Faust ``kafka://`` is this machine, and ``aiokafka://`` and ``;`` will do too.
    **options
        For Kafka: TLS and SASL settings, see :class:`streamlab.broker.security.Security`.

    Raises
    ------
    ImproperlyConfigured
        For any other url or option.
    """
    if not isinstance(url, str):
        raise ImproperlyConfigured(f"A broker's url is a text, not of type {type(url).__name__}. {FORMS}")
    scheme, separator, rest = url.strip().partition("://")
    if not separator:
        scheme, rest = "kafka", scheme
    if scheme == "memory":
        return _memory(rest.strip("/"), options)
    if scheme in ("kafka", "aiokafka"):
        return _kafka(rest.rstrip("/") or ("localhost" if separator else ""), options)
    raise ImproperlyConfigured(f"No broker has a url that begins with {scheme}://. {FORMS}")


def _memory(name: str, options: dict[str, Any]) -> Broker:
    from streamlab.broker.memory import MemoryBroker

    if options:
        raise ImproperlyConfigured(f"memory:// takes no options, but got {', '.join(sorted(options))}. {FORMS}")
    broker = MemoryBroker(name)
    if name == "demo":
        from streamlab.demo import start_once

        start_once(broker)
    return broker


def _kafka(hosts: str, options: dict[str, Any]) -> Broker:
    if "@" in hosts:
        raise ImproperlyConfigured(
            "User and password do not belong in the url, which is shown: give sasl_plain_username= and sasl_plain_password=."
        )
    if "?" in hosts:
        raise ImproperlyConfigured(
            f"Settings do not belong in the url (after the question mark): give them as arguments. {FORMS}"
        )
    addresses = tuple(_address(part.strip()) for part in re.split("[,;]", hosts) if part.strip())
    if not addresses:
        raise ImproperlyConfigured(f"The url names no host. {FORMS}")
    from streamlab.broker.kafka import KafkaBroker
    from streamlab.broker.security import Security

    return KafkaBroker(addresses, Security.parse(options))


def _address(text: str) -> tuple[str, int]:
    found = HOST.fullmatch(text)
    port = int(found[2] or DEFAULT_PORT) if found else 0
    if found is None or not 0 < port < 1 << 16:
        raise ImproperlyConfigured(f"{text!r} is no host:port. {FORMS}")
    return found[1].strip("[]"), port
