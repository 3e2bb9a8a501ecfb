"""The command line: ``streamlab topics``, ``streamlab cat TOPIC``, ``streamlab demo``.

Output goes to stdout, everything else to stderr. The exit code is 0, 1 for an error, 2 for a wrong call, 130 after
Ctrl-C. Nothing is created, committed or changed on the cluster.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Generator, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from streamlab.broker.positions import parse
from streamlab.errors import DecodeError, ImproperlyConfigured, InvalidPosition, InvalidType, InvalidValue, StreamlabError
from streamlab.printing import FORMATS, problem_of
from streamlab.unsupported import CLI, missing_name

if TYPE_CHECKING:
    from streamlab.app import App
    from streamlab.broker.base import BrokerRecord
    from streamlab.opened import OpenedBatch
    from streamlab.topics import Topic

__all__ = ["main"]

BROKER_VARIABLE = "STREAMLAB_BROKER"
DEFAULT_BROKER = "kafka://localhost:9092"
OPTIONS_WITH_POSITIONS = ("--start", "--stop")
WRONG_CALL = (ImproperlyConfigured, InvalidPosition, InvalidType, InvalidValue)
INTERRUPTED = 130
KINDS: dict[str | None, Any] = {"auto": None, "bytes": bytes, "str": str, "int": int, "float": float}

_SECRET_KEY = re.compile(r"password|passphrase|secret|token|jaas|\.pem$|\.key$", re.IGNORECASE)
_SECRET_ARGUMENT = re.compile(r"([\w.]*(?:password|passphrase|secret|token|jaas)[\w.]*=)\S+", re.IGNORECASE)

_POSITIONS = """\
positions, for --start and --stop:
  earliest, latest       the first record that is there; the end as it is now
  end                    for --stop: the end as it is now
  -100                   the last 100 records of each partition
  100                    an offset, in each partition
  0=10,1=-5              a position for each partition
  -10m                   ten minutes ago; s, m, h, d, w
  2026-11-22T10:00Z      a time; local time without a zone
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name; ``sys.argv`` by default.

    Returns
    -------
    int
        The exit code.
    """
    arguments = _parser().parse_args(_with_positions(sys.argv[1:] if argv is None else argv))
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except StreamlabError as error:
        complain(_without_secrets(str(error), arguments))
        return 2 if isinstance(error, WRONG_CALL) else 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        complain(str(error))
        return 1
    return code


def complain(text: str) -> None:
    """Write one line to stderr."""
    from streamlab.texts import clean

    print(f"streamlab: {clean(text, limit=2000)}", file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """Never repeats what looks like a secret."""

    def error(self, message: str) -> Any:
        super().error(_SECRET_ARGUMENT.sub(r"\1…", message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="streamlab", description="Look at Kafka topics. Nothing on the cluster is changed.")
    from streamlab import __version__

    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_topics(commands)
    _add_cat(commands)
    _add_demo(commands)
    return parser


def _add_topics(commands: Any) -> None:
    topics = commands.add_parser("topics", help="list topics, their partitions and about how many messages they hold")
    _add_connection(topics)
    topics.add_argument("--internal", action="store_true", help="internal topics too")
    topics.set_defaults(run=_topics)


def _add_cat(commands: Any) -> None:
    cat = commands.add_parser(
        "cat", help="print the messages of a topic", epilog=_POSITIONS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cat.add_argument("topic", metavar="TOPIC")
    cat.add_argument("--start", type=_start, metavar="POSITION", help="default: latest; earliest with --stop")
    cat.add_argument("--stop", type=_stop, metavar="POSITION", help="default: none, cat goes on until Ctrl-C")
    cat.add_argument("--limit", type=_count, metavar="N", help="at most so many messages in all")
    cat.add_argument(
        "--format",
        choices=sorted(FORMATS),
        default="json",
        help="json: an object a line with place, time, key, value and headers; value: the decoded value; raw: the value's bytes",
    )
    kinds = "auto by default; bytes, str, int, float, or a codec: json, raw, text, binary, int32, int64, msgpack"
    cat.add_argument("--key-type", metavar="TYPE", help=kinds)
    cat.add_argument("--value-type", metavar="TYPE", help="the same")
    cat.add_argument("--isolation", choices=("read_uncommitted", "read_committed"), default="read_uncommitted")
    _add_connection(cat)
    cat.set_defaults(run=_cat)


def _add_demo(commands: Any) -> None:
    demo = commands.add_parser("demo", help="open JupyterLab on notebooks with live sample topics; needs no Kafka")
    demo.add_argument("--headless", action="store_true", help="run the first notebook and print what its cells show")
    demo.set_defaults(run=_demo, config=[], broker="")


def _add_connection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--broker",
        default=os.environ.get(BROKER_VARIABLE) or DEFAULT_BROKER,
        metavar="URL",
        help=f"kafka://host:port,host:port; default: ${BROKER_VARIABLE}, else {DEFAULT_BROKER}",
    )
    parser.add_argument(
        "-X",
        dest="config",
        action="append",
        default=[],
        type=_setting,
        metavar="KEY=VALUE",
        help="a security setting as librdkafka or Java spell it, such as security.protocol=SASL_SSL; may be repeated",
    )


def _with_positions(argv: Sequence[str]) -> list[str]:
    """Join ``--start -10m`` to ``--start=-10m``: argparse takes what begins with a dash for an option."""
    joined: list[str] = []
    for argument in argv:
        if joined and joined[-1] in OPTIONS_WITH_POSITIONS and re.match(r"-\d", argument):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _start(text: str) -> Any:
    return _position(text, end=False)


def _stop(text: str) -> Any:
    return _position(text, end=True)


def _position(text: str, *, end: bool) -> Any:
    parts = [part.partition("=") for part in text.split(",")]
    value: Any = {partition: position for partition, _, position in parts} if "=" in text else text
    try:
        parse(value, end=end)
    except InvalidPosition as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of messages: give 1 or more")
    return int(text)


def _setting(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise argparse.ArgumentTypeError("give KEY=VALUE, such as -X security.protocol=SSL")
    return key.strip(), value


def _without_secrets(text: str, arguments: argparse.Namespace) -> str:
    """Return an error's text without what was given as a password, wherever it comes from."""
    secrets = [value for key, value in arguments.config if _SECRET_KEY.search(key) and value]
    if "@" in arguments.broker:
        secrets.append(arguments.broker.partition("://")[2].rpartition("@")[0])
    for secret in secrets:
        text = text.replace(secret, "…")
    return text


def _open(arguments: argparse.Namespace) -> App:
    from streamlab.app import App

    return App("streamlab-cli", broker=arguments.broker, config=dict(arguments.config) or None)


def _demo(arguments: argparse.Namespace) -> int:
    from streamlab.demo_lab import launch

    return launch(headless=arguments.headless)


def _topics(arguments: argparse.Namespace) -> int:
    with contextlib.closing(_open(arguments)) as app:
        frame = app.topics_frame(internal=arguments.internal)
    rows = [("TOPIC", "PARTITIONS", "MESSAGES"), *zip(frame["topic"], frame["partitions"], frame["messages"], strict=True)]
    names, partitions, messages = (max(len(str(row[column])) for row in rows) for column in range(3))
    for row in rows:
        print(f"{row[0]:<{names}}  {row[1]:>{partitions}}  {row[2]:>{messages}}")
    return 0


def _cat(arguments: argparse.Namespace) -> int:
    with contextlib.closing(_open(arguments)) as app:
        topic = app.topic(arguments.topic, key_type=_kind(arguments.key_type), value_type=_kind(arguments.value_type))
        with contextlib.closing(_records(topic, arguments)) as records:
            failed = _print_records(records, arguments)
    if failed:
        complain(f"{failed:,} {'message' if failed == 1 else 'messages'} could not be decoded")
    return 0


def _records(topic: Topic[Any], arguments: argparse.Namespace) -> Generator[tuple[BrokerRecord, OpenedBatch], None, None]:
    """Yield the records as they come, each with what opens it; what was printed is flushed before waiting for more."""
    from streamlab.opened import OpenedBatch
    from streamlab.runtime.feed import Feed
    from streamlab.runtime.walking import batches_of

    start = arguments.start or ("latest" if arguments.stop is None else "earliest")
    feed = Feed(
        topic.app.client, topic.topics, start=start, stop=arguments.stop, isolation=arguments.isolation, on_notice=complain
    )
    try:
        for batches in batches_of(feed):
            for batch in batches:
                opened = OpenedBatch(topic.app, topic.schema, batch, None)
                for record in batch.records:
                    yield record, opened
            if not feed.handover.readable:
                sys.stdout.flush()
    finally:
        feed.close_soon()


def _kind(name: str | None) -> Any:
    return KINDS.get(name, name)


def _print_records(records: Iterable[tuple[BrokerRecord, OpenedBatch]], arguments: argparse.Namespace) -> int:
    """Print them as they come; the number of those that could not be decoded."""
    line, out, failed = FORMATS[arguments.format], sys.stdout.buffer, 0
    for record, opened in islice(records, arguments.limit):
        try:
            out.write(line(record, opened) + b"\n")
        except (DecodeError, RecursionError, TypeError, ValueError) as error:  # the last three: values that JSON cannot hold
            failed += 1
            complain(problem_of(error, record, opened))
    return failed


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        raise missing_name(__name__, name, CLI)
