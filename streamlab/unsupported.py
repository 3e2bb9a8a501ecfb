"""What Faust has and streamlab has not, with what to do instead: errors rather than silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamlab.errors import NoSuchMember, NotSupported

__all__ = [
    "AGENT",
    "AGENT_OPTIONS",
    "APP",
    "CLI",
    "COMMANDS",
    "NAMES",
    "SCHEMA_HOOKS",
    "SEND_OPTIONS",
    "missing",
    "missing_name",
    "refuse",
]

_TABLE = (
    'app.table("name") is a table read from a topic, to look keys up in and to join streams with; what an agent is to change, keep in a '
    "dict, which lasts as long as the kernel, and send() to a topic of your own"
)
_WINDOW = "cut the stream into windows: stream.tumbling(size), stream.hopping(size, step) or stream.session(gap)"
_WEB = "there is no web server: call in a cell what the page would show"
_COMMAND = "there are no commands: call the coroutine itself, in a cell or in an @app.task"
_REPLY = "agents do not reply: have the agent send() its results to a topic or channel, and read that"
_SIGNAL = "there are no signals: do it before app.start(), or in an @app.task"
_REBALANCE = "there are no signals: stream.stats().lag names the partitions that a stream has"
_COUNTERS = "stream.stats() has the counters of a stream, stream.processors those of its processors"
_SERVICE = "there are no services: write an @app.task, and undo in its finally what has to be undone"
_MAIN = "app.main() runs a script, `await app.start()` runs the app in a notebook"
_CREDENTIALS = 'give App(security_protocol="SASL_SSL", sasl_mechanism=..., sasl_plain_username=..., sasl_plain_password=...)'

APP: Mapping[str, str] = {
    **dict.fromkeys(("Table", "GlobalTable", "SetTable", "SetGlobalTable", "tables"), _TABLE),
    **dict.fromkeys(("page", "table_route", "topic_route", "web", "web_server"), _WEB),
    **dict.fromkeys(("on_partitions_assigned", "on_partitions_revoked", "on_rebalance_complete", "rebalancing"), _REBALANCE),
    **dict.fromkeys(
        ("on_after_configured", "on_before_configured", "on_configured", "on_before_shutdown", "on_worker_init"), _SIGNAL
    ),
    **dict.fromkeys(("monitor", "sensors"), _COUNTERS),
    **dict.fromkeys(("start_client", "maybe_start_client"), "send() needs no start, `await app.start()` runs the agents"),
    **dict.fromkeys(("config_from_object", "discover"), "give the options to App(), and import the modules that define agents"),
    "LiveCheck": "write a test of your own, on the embedded broker memory://",
    "Worker": _MAIN,
    "cache": "open a client of the cache in an @app.task",
    "command": _COMMAND,
    "crontab": "use @app.timer(seconds), and look at the clock in it",
    "http_client": "open an aiohttp.ClientSession in the agent",
    "is_leader": "no process is elected: run what must run once in a script of its own",
    "on_produce_message": "there are no signals: give headers= to send()",
    "serializers": "streamlab.codecs.register() adds a codec",
    "service": _SERVICE,
}
AGENT: Mapping[str, str] = {
    **dict.fromkeys(("ask", "ask_nowait", "join", "kvjoin", "kvmap", "map"), _REPLY),
    "add_sink": "send() what it yields to a topic or channel in the agent itself",
    "test_context": "call agent(app.stream([...])), or start an App on memory:// and send() to the agent",
}
AGENT_OPTIONS: Mapping[str, str] = {
    "isolated_partitions": "make an agent for app.topic(..., active_partitions={TP(...)}) of each",
    "sink": AGENT["add_sink"],
    "supervisor_strategy": "an agent that fails is always started again; app.errors has what happened",
}
SCHEMA_HOOKS = ("dumps_key", "dumps_value", "loads_key", "loads_value")
SEND_OPTIONS: Mapping[str, str] = dict.fromkeys(("correlation_id", "reply_to"), _REPLY)
CLI: Mapping[str, str] = dict.fromkeys(("AppCommand", "argument", "option"), _COMMAND)
COMMANDS: Mapping[str, str] = {
    **dict.fromkeys(("agents", "model", "models", "tables"), "show app.agents, or app itself, in a cell"),
    "livecheck": APP["LiveCheck"],
    "reset": "streams observe by default, and app.table() keeps nothing that could be reset",
    "send": "`await agent.send(value=...)` or `await topic.send(value=...)` in a cell",
}
NAMES: Mapping[str, str] = {
    **dict.fromkeys(("GlobalTable", "SetTable", "SetGlobalTable"), _TABLE),
    **dict.fromkeys(("HoppingWindow", "SlidingWindow", "TumblingWindow"), _WINDOW),
    **dict.fromkeys(("GSSAPICredentials", "OAuthCredentials", "SASLCredentials", "SSLCredentials"), _CREDENTIALS),
    **dict.fromkeys(("Service", "ServiceT"), _SERVICE),
    **dict.fromkeys(("Monitor", "Sensor"), _COUNTERS),
    "Codec": "streamlab.codecs.register(name, PlainCodec(encode, decode)) adds one",
    "Model": "subclass Record",
    "Worker": _MAIN,
    "livecheck": APP["LiveCheck"],
    "web": _WEB,
}


def missing(owner: object, name: str, instead: Mapping[str, str]) -> AttributeError:
    """Return the error for an attribute that is not there, with the advice if Faust's class has it."""
    kind = type(owner).__name__
    if name not in instead:
        return AttributeError(f"{kind!r} object has no attribute {name!r}", name=name, obj=owner)
    error = NoSuchMember(f"streamlab's {kind} has no {name}: {instead[name]}")
    error.name = name  # and no obj: then Python guesses no other name
    return error


def missing_name(module: str, name: str, instead: Mapping[str, str]) -> Exception:
    """Return the error for a name that a module does not have.

    For Faust's names no AttributeError, whose message ``from ... import`` would hide.
    """
    if name not in instead:
        return AttributeError(f"module {module!r} has no attribute {name!r}")
    return NotSupported(f"{module} has no {name}: {instead[name]}")


def refuse(what: str, options: Mapping[str, Any], instead: Mapping[str, str]) -> None:
    """Raise NotSupported for the first of the options that streamlab does not have.

    Raises
    ------
    NotSupported
        Says what to do instead.
    """
    for name in options.keys() & instead.keys():
        raise NotSupported(f"{what} takes no {name}=: {instead[name]}")
