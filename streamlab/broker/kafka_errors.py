"""aiokafka's errors -> ours, the one place where they meet.

Every error class of aiokafka is listed (a test fails when a new version brings one that is not), so that nothing
of aiokafka's leaves ``broker/`` but as ``__cause__``.
"""

from __future__ import annotations

from aiokafka import errors as kafka

from streamlab.errors import (
    AuthenticationFailed,
    AuthorizationFailed,
    BrokerError,
    BrokerUnavailable,
    MessageTooLarge,
    OffsetOutOfRange,
    StreamlabError,
    TopicExists,
    TopicNotFound,
)

__all__ = ["MAPPING", "code_error", "topic_error", "translate"]

_TARGETS: dict[type[BrokerError], tuple[type[Exception], ...]] = {
    BrokerUnavailable: (
        kafka.BrokerNotAvailableError,
        kafka.GroupCoordinatorNotAvailableError,
        kafka.GroupLoadInProgressError,
        kafka.KafkaConnectionError,
        kafka.KafkaTimeoutError,
        kafka.KafkaUnavailableError,
        kafka.LeaderNotAvailableError,
        kafka.MetadataEmptyBrokerList,
        kafka.NoBrokersAvailable,
        kafka.NodeNotReadyError,
        kafka.NotControllerError,
        kafka.NotCoordinatorForGroupError,
        kafka.NotEnoughReplicasAfterAppendError,
        kafka.NotEnoughReplicasError,
        kafka.NotLeaderForPartitionError,
        kafka.ReplicaNotAvailableError,
        kafka.RequestTimedOutError,
        kafka.StaleControllerEpochError,
        kafka.StaleLeaderEpochCodeError,
        kafka.StaleMetadata,
    ),
    AuthenticationFailed: (
        kafka.AuthenticationFailedError,
        kafka.AuthenticationMethodNotSupported,
        kafka.DelegationTokenAuthDisabled,
        kafka.DelegationTokenExpired,
        kafka.DelegationTokenNotFound,
        kafka.DelegationTokenOwnerMismatch,
        kafka.IllegalSaslStateError,
        kafka.SaslAuthenticationFailed,
        kafka.UnsupportedSaslMechanismError,
    ),
    AuthorizationFailed: (
        kafka.ClusterAuthorizationFailedError,
        kafka.DelegationTokenAuthorizationFailed,
        kafka.DelegationTokenRequestNotAllowed,
        kafka.GroupAuthorizationFailedError,
        kafka.TopicAuthorizationFailedError,
        kafka.TransactionalIdAuthorizationFailed,
    ),
    TopicNotFound: (kafka.InvalidTopicError, kafka.UnknownTopicOrPartitionError),
    TopicExists: (kafka.TopicAlreadyExistsError,),
    OffsetOutOfRange: (kafka.NoOffsetForPartitionError, kafka.OffsetOutOfRangeError),
    MessageTooLarge: (
        kafka.InvalidFetchRequestError,
        kafka.MessageSizeTooLargeError,
        kafka.RecordListTooLargeError,
        kafka.RecordTooLargeError,
    ),
    BrokerError: (
        kafka.BrokerResponseError,
        kafka.Cancelled,
        kafka.CommitFailedError,
        kafka.ConcurrentTransactions,
        kafka.ConsumerStoppedError,
        kafka.CorrelationIdError,
        kafka.CorruptRecordException,
        kafka.DuplicateSequenceNumber,
        kafka.FetchSessionIdNotFound,
        kafka.GroupIdNotFound,
        kafka.IllegalArgumentError,
        kafka.IllegalGenerationError,
        kafka.IllegalOperation,
        kafka.IllegalStateError,
        kafka.IncompatibleBrokerVersion,
        kafka.InconsistentGroupProtocolError,
        kafka.InvalidCommitOffsetSizeError,
        kafka.InvalidConfigurationError,
        kafka.InvalidFetchSessionEpoch,
        kafka.InvalidGroupIdError,
        kafka.InvalidPartitionsError,
        kafka.InvalidPrincipalType,
        kafka.InvalidProducerEpoch,
        kafka.InvalidProducerIdMapping,
        kafka.InvalidReplicationAssignmentError,
        kafka.InvalidReplicationFactorError,
        kafka.InvalidRequestError,
        kafka.InvalidRequiredAcksError,
        kafka.InvalidSessionTimeoutError,
        kafka.InvalidTimestampError,
        kafka.InvalidTransactionTimeout,
        kafka.InvalidTxnState,
        kafka.KafkaConfigurationError,
        kafka.KafkaError,
        kafka.KafkaProtocolError,
        kafka.KafkaStorageError,
        kafka.ListenerNotFound,
        kafka.LogDirNotFound,
        kafka.MemberIdRequired,
        kafka.NoError,
        kafka.NonEmptyGroup,
        kafka.OffsetMetadataTooLargeError,
        kafka.OperationNotAttempted,
        kafka.OutOfOrderSequenceNumber,
        kafka.PolicyViolationError,
        kafka.ProducerClosed,
        kafka.ProducerFenced,
        kafka.QuotaViolationError,
        kafka.ReassignmentInProgress,
        kafka.RebalanceInProgressError,
        kafka.SecurityDisabled,
        kafka.TooManyInFlightRequests,
        kafka.TransactionCoordinatorFenced,
        kafka.UnknownError,
        kafka.UnknownMemberIdError,
        kafka.UnknownProducerId,
        kafka.UnrecognizedBrokerVersion,
        kafka.UnsupportedCodecError,
        kafka.UnsupportedForMessageFormatError,
        kafka.UnsupportedVersionError,
    ),
}

MAPPING: dict[type[Exception], type[BrokerError]] = {theirs: ours for ours, all_ in _TARGETS.items() for theirs in all_}

_NEXT: dict[type[BrokerError], str] = {
    BrokerUnavailable: "The cluster may be restarting: try again, and look at the broker if it stays like this.",
    AuthenticationFailed: "Check sasl_mechanism, the user and the password.",
    AuthorizationFailed: "Ask the cluster's administrator for an ACL that allows it.",
    TopicNotFound: "`app.topics_frame()` or `streamlab topics` lists what there is.",
    TopicExists: "Use it, or delete it first.",
    OffsetOutOfRange: 'Start within the range, or with start="earliest".',
    MessageTooLarge: "Raise max.message.bytes of the topic, or send less in one record.",
    BrokerError: "",
}


def translate(error: BaseException, what: str, *, topic: str | None = None, partition: int | None = None) -> StreamlabError:
    """Make our error out of whatever a call into aiokafka raised; the caller raises it ``from`` the original.

    Parameters
    ----------
    error
        What was caught; one of ours comes back as it is.
    what : str
        What was being done and where, as the beginning of the message.
    topic, partition
        What it was done to, for the error's fields.
    """
    if isinstance(error, StreamlabError):
        return error
    ours: type[BrokerError] = BrokerUnavailable if isinstance(error, OSError | TimeoutError) else BrokerError
    for base in type(error).__mro__:
        if base in MAPPING:
            ours = MAPPING[base]
            break
    detail = " ".join(str(error).split())
    name = type(error).__name__
    cause = name if not detail or detail == name else f"{name}: {detail}" if name not in detail else detail
    return ours(f"{what}: {cause}. {_NEXT[ours]}".rstrip(), topic=topic, partition=partition)


def code_error(code: int, what: str, *, detail: str | None = None, topic: str | None = None) -> StreamlabError:
    """Make our error out of an error code in an answer, with the broker's own words if it gave any."""
    theirs = kafka.for_code(code)
    cause = theirs(detail) if detail else theirs()
    error = translate(cause, what, topic=topic)
    error.__cause__ = cause
    return error


def topic_error(code: int, topic: str) -> StreamlabError:
    """Make our error out of the code with which a topic is described; a code of 0 came without partitions."""
    if code == kafka.UnknownTopicOrPartitionError.errno:
        return TopicNotFound(f"There is no topic {topic!r}. {_NEXT[TopicNotFound]}", topic=topic)
    if code == kafka.InvalidTopicError.errno:
        return TopicNotFound(
            f"No topic can be called {topic!r}: only ASCII letters, digits, '.', '_' and '-', 249 at most.", topic=topic
        )
    if code == kafka.TopicAuthorizationFailedError.errno:
        return AuthorizationFailed(
            f"Topic {topic!r} may not be described: the user lacks the right, or there is no such topic, which Kafka tells only those "
            f"who have it. {_NEXT[AuthorizationFailed]}",
            topic=topic,
        )
    code = code or kafka.LeaderNotAvailableError.errno
    return code_error(code, f"Cannot describe topic {topic!r}", topic=topic)
