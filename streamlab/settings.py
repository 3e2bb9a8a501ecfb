"""What an app is configured with: Faust's options, kept; the few that mean something here, with defaults."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from streamlab.errors import ImproperlyConfigured

__all__ = ["FAUST_OPTIONS", "Settings", "is_security_option", "settings"]

DEFAULTS: dict[str, Any] = {
    "ack_on_error": True,
    "join_within": 60.0,
    "key_serializer": None,
    "stream_buffer_maxsize": 4096,
    "topic_partitions": 8,
    "topic_replication_factor": 1,
    "value_serializer": None,
}

# Names of Faust 0.15's settings (https://faust-streaming.github.io/faust/userguide/settings.html), so that an app's
# definition pastes in unchanged.
FAUST_OPTIONS = frozenset(
    {
        "Agent", "ConsumerScheduler", "Event", "GlobalTable", "HttpClient", "LeaderAssignor", "Monitor",
        "PartitionAssignor", "Router", "Schema", "Serializers", "SetGlobalTable", "SetTable", "Stream", "Table",
        "TableManager", "Topic", "Worker", "agent_supervisor", "autodiscover", "blocking_timeout", "broker_api_version",
        "broker_check_crcs", "broker_client_id", "broker_commit_every", "broker_commit_interval",
        "broker_commit_livelock_soft_timeout", "broker_consumer", "broker_credentials", "broker_heartbeat_interval",
        "broker_max_poll_interval", "broker_max_poll_records", "broker_producer", "broker_rebalance_timeout",
        "broker_request_timeout", "broker_session_timeout", "cache", "canonical_url", "consumer_api_version",
        "consumer_auto_offset_reset", "consumer_connections_max_idle_ms", "consumer_group_instance_id",
        "consumer_max_fetch_size", "consumer_metadata_max_age_ms", "crash_app_on_aerospike_exception",
        "cython_optimizations", "datadir", "debug", "env_prefix", "id_format", "key_serializer", "logging_config",
        "loghandlers", "origin", "processing_guarantee", "producer_acks", "producer_api_version",
        "producer_compression_type", "producer_connections_max_idle_ms", "producer_linger", "producer_linger_ms",
        "producer_max_batch_size", "producer_max_request_size", "producer_metadata_max_age_ms", "producer_partitioner",
        "producer_request_timeout", "producer_threaded", "recovery_consistency_check", "reply_create_topic",
        "reply_expires", "reply_to", "reply_to_prefix", "store", "store_check_exists", "stream_ack_cancelled_tasks",
        "stream_ack_exceptions", "stream_buffer_maxsize", "stream_processing_timeout", "stream_publish_on_commit",
        "stream_recovery_delay", "stream_wait_empty", "table_cleanup_interval", "table_key_index_size",
        "table_standby_replicas", "tabledir", "timezone", "topic_allow_declare", "topic_disable_leader",
        "topic_partitions", "topic_replication_factor", "url", "value_serializer", "version", "web",
        "web_application_options", "web_bind", "web_cors_options", "web_enabled", "web_host", "web_in_thread",
        "web_port", "web_ssl_context", "web_transport", "worker_redirect_stdouts", "worker_redirect_stdouts_level",
    }
)  # fmt: skip


MEANT = {"user": "sasl_plain_username", "username": "sasl_plain_username", "password": "sasl_plain_password"}
SECRET = re.compile("passw|secret|token|credential|private", re.IGNORECASE)


def is_security_option(name: str) -> bool:
    """Tell whether an option is about TLS or SASL, and so the broker's to check."""
    return name == "config" or name.startswith(("security_", "sasl_", "ssl_"))


class Settings(SimpleNamespace):
    """Options as attributes; they can be set as long as nothing used them, and what may be a secret is not shown."""

    __slots__ = ("_on_broker",)
    _on_broker: Callable[[str], None]

    def on_broker(self, use: Callable[[str], None]) -> None:
        """Have this called when ``broker`` is set to another url; it may refuse."""
        self._on_broker = use

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "broker":
            self._on_broker(value)
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        shown = (f"{name}={'...' if SECRET.search(name) else repr(setting)}" for name, setting in vars(self).items())
        return f"{type(self).__name__}({', '.join(shown)})"


def settings(**options: Any) -> Settings:
    """Return the options as attributes, with defaults; unknown ones are kept too, and warned about by name.

    Raises
    ------
    ImproperlyConfigured
        For ``broker_credentials``: to go on without them would not do.
    """
    if options.get("broker_credentials") is not None:
        raise ImproperlyConfigured(
            "broker_credentials= is not known: give security_protocol=, sasl_mechanism=, sasl_plain_username= and "
            "sasl_plain_password=, or ssl_context=, as aiokafka spells them"
        )
    known = FAUST_OPTIONS | DEFAULTS.keys() | {"id", "broker"}
    for name in options.keys() - known:
        near = [MEANT[name]] if name in MEANT else difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        warnings.warn(f"App does not know the option {name!r}{hint}", UserWarning, stacklevel=3)
    return Settings(**{**DEFAULTS, **options})
