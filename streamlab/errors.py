"""The errors of streamlab, one tree.

::

    StreamlabError
    ├── BrokerError                 something about the cluster, a topic or a group
    │   ├── BrokerUnavailable       no broker answers (refused, DNS, TLS, time-out)
    │   ├── AuthenticationFailed    the broker does not accept the credentials
    │   ├── AuthorizationFailed     the credentials are fine, the operation is not allowed
    │   ├── TopicNotFound
    │   ├── TopicExists
    │   ├── OffsetOutOfRange        names the valid range
    │   └── MessageTooLarge
    ├── DecodeError                 bytes that are not what the type says
    │   ├── KeyDecodeError
    │   └── ValueDecodeError
    ├── EncodeError                 (ValueError) a value that the serializer cannot write
    ├── StreamClosed                the stream or its app was closed
    ├── MemoryLimitExceeded         (MemoryError) a read would need more than ``max_bytes``
    ├── ImproperlyConfigured
    ├── InvalidPosition             (ValueError) a ``start=`` or ``stop=`` that says nothing
    ├── InvalidValue                (ValueError)
    ├── InvalidType                 (TypeError)
    ├── InvalidState                (RuntimeError)
    ├── AlreadyStarted              (AssertionError)
    └── NotSupported                (NotImplementedError)
        └── NoSuchMember            (AttributeError) Faust's class has it

    Skip                            control flow: raised by a processor that drops its value; no StreamlabError
"""

from __future__ import annotations

from streamlab.texts import text_of

__all__ = [
    "AlreadyStarted",
    "AuthenticationFailed",
    "AuthorizationFailed",
    "BrokerError",
    "BrokerUnavailable",
    "DecodeError",
    "EncodeError",
    "ImproperlyConfigured",
    "InvalidPosition",
    "InvalidState",
    "InvalidType",
    "InvalidValue",
    "KeyDecodeError",
    "MemoryLimitExceeded",
    "MessageTooLarge",
    "NoSuchMember",
    "NotSupported",
    "OffsetOutOfRange",
    "Skip",
    "StreamClosed",
    "StreamlabError",
    "TopicExists",
    "TopicNotFound",
    "ValueDecodeError",
    "reason_of",
    "registered_schema",
]

SHOWN_BYTES = 64
_PREFIX = 5
_LIKELY = 10_000_000  # what is more is rather something else that begins with a zero


def reason_of(cause: Exception) -> str:
    """Say why a codec failed: its own words, but for too deep a value, for which each Python has others."""
    return f"nested too deeply ({cause})" if isinstance(cause, RecursionError) else text_of(cause)


def registered_schema(data: bytes | None) -> int | None:
    """Return the number of the schema when bytes begin as Confluent's serializers write: a zero, and the number in four bytes."""
    number = int.from_bytes(data[1:_PREFIX]) if data is not None and len(data) > _PREFIX and data[0] == 0 else 0
    return number if 0 < number < _LIKELY else None


class StreamlabError(Exception):
    """Root of every error that streamlab raises on purpose."""


class BrokerError(StreamlabError):
    """The broker said no, or could not be asked.

    Parameters
    ----------
    message : str
        What happened, to what, and what to do next.
    topic, partition, offset
        What it happened to, where that is known.
    """

    def __init__(
        self,
        message: str = "",
        *,
        topic: str | None = None,
        partition: int | None = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(message)
        self.topic = topic
        self.partition = partition
        self.offset = offset


class BrokerUnavailable(BrokerError):
    """No broker answers: refused, unknown host, TLS trouble, or silence."""


class AuthenticationFailed(BrokerError):
    """The broker does not accept the credentials or the mechanism."""


class AuthorizationFailed(BrokerError):
    """The broker knows the user and does not allow the operation."""


class TopicNotFound(BrokerError):
    """The topic does not exist, or was deleted."""


class TopicExists(BrokerError):
    """A topic of that name is there already."""


class OffsetOutOfRange(BrokerError):
    """The offset is not in the partition; the message names the valid range."""


class MessageTooLarge(BrokerError):
    """The record is larger than the broker or the topic takes."""


class DecodeError(StreamlabError):
    """Bytes could not be turned into the key or value that was asked for.

    Parameters
    ----------
    message : str
        What went wrong.
    topic, partition, offset
        The record's place.
    data : bytes or None
        The raw bytes; only the first 64 are shown.
    """

    part = "data"

    def __init__(
        self,
        message: str = "",
        *,
        topic: str | None = None,
        partition: int | None = None,
        offset: int | None = None,
        data: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.data = data

    def __str__(self) -> str:
        text = super().__str__()
        if self.topic is None:
            return text
        shown = "" if self.data is None else f", first bytes {self.data[:SHOWN_BYTES]!r}"
        schema = registered_schema(self.data)
        if schema is not None:
            shown += f", which begin as Confluent's serializers write: with schema {schema} of a registry"
        return (
            f"cannot decode the {self.part} of {self.topic} partition {self.partition} offset {self.offset}: "
            f"{text}{shown}. Give another {self.part}_type, or on_error='skip' to pass such records over."
        )


class KeyDecodeError(DecodeError):
    """The key of a record is not what ``key_type`` says."""

    part = "key"


class ValueDecodeError(DecodeError):
    """The value of a record is not what ``value_type`` says."""

    part = "value"


class EncodeError(StreamlabError, ValueError):
    """A key or value could not be turned into bytes."""


class StreamClosed(StreamlabError):
    """The stream, or the app that it belongs to, was closed."""


class MemoryLimitExceeded(StreamlabError, MemoryError):
    """Reading on would need more memory than ``max_bytes`` allows."""


class ImproperlyConfigured(StreamlabError):
    """The parts were put together in a way that cannot work."""


class InvalidPosition(StreamlabError, ValueError):
    """A ``start=`` or ``stop=`` that names no position."""


class InvalidValue(StreamlabError, ValueError):
    """An argument of the right type with a value that makes no sense."""


class InvalidType(StreamlabError, TypeError):
    """An argument of the wrong type."""


class InvalidState(StreamlabError, RuntimeError):
    """The object is in a state in which this cannot be done."""


class AlreadyStarted(StreamlabError, AssertionError):
    """Started twice."""


class NotSupported(StreamlabError, NotImplementedError):
    """This object does not do that; the message names the one that does."""


class NoSuchMember(NotSupported, AttributeError):
    """An attribute that Faust's class has and this one has not; the message says what to do instead."""


class Skip(Exception):
    """Raised by a processor to drop the value: it is not yielded, and its event is acked."""
