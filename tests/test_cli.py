import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import streamlab as sl
from streamlab import cli
from streamlab.broker.base import Broker
from streamlab.errors import BrokerUnavailable
from streamlab.runtime.feed import Feed
from streamlab.runtime.io import wait
from tests.kafka.harness import KafkaCluster

BROKER = "memory://cli"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def app() -> Iterator[sl.App]:
    app = sl.App("cli-test", broker=BROKER)
    yield app
    for name in wait(app.client.topics()):
        wait(app.client.delete_topic(name))
    app.close()


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("STREAMLAB_BROKER", BROKER)

    def run(*argv: str) -> tuple[int, str, str]:
        try:
            code = cli.main(argv)
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return code, out.decode("utf-8", "surrogateescape"), err.decode()

    return run


def fill(app: sl.App, topic: str, *values: bytes | None, partitions: int = 1, **options: Any) -> None:
    wait(app.client.create_topic(topic, partitions=partitions))
    for number, value in enumerate(values):
        wait(app.client.send(topic, **{"key": None, "value": value, "partition": number % partitions, **options}))


def numbers(app: sl.App, count: int = 20, **options: Any) -> None:
    fill(app, "numbers", *(str(number).encode() for number in range(count)), **options)


def test_cat_prints_one_json_object_a_line(app: sl.App, run: Run) -> None:
    headers = (("trace", b"a"), ("trace", b"b"), ("raw", b"\xff"), ("none", None))
    fill(app, "orders", b'{"id": 9007199254740993,\n "x": "\xc3\xa9"}', key=b"a-1", timestamp_ms=1700000000123, headers=headers)
    code, out, err = run("cat", "orders", "--stop", "end")
    assert (code, err) == (0, "")
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "topic": "orders",
        "partition": 0,
        "offset": 0,
        "timestamp": "2023-11-14T22:13:20.123Z",
        "key": "a-1",
        "value": {"id": 9007199254740993, "x": "é"},
        "headers": [["trace", "a"], ["trace", "b"], ["raw", {"base64": "/w=="}], ["none", None]],
    }


def test_bytes_that_are_no_text_and_tombstones_are_told_apart(app: sl.App, run: Run) -> None:
    fill(app, "raw", b"\xff", None, b"", b"null", key=b"\xfe")
    lines = [json.loads(line) for line in run("cat", "raw", "--stop", "end")[1].splitlines()]
    assert [line["value"] for line in lines] == [{"base64": "/w=="}, None, "", None]
    assert lines[0]["key"] == {"base64": "/g=="}


def test_text_prints_as_it_is_and_other_values_as_json(app: sl.App, run: Run) -> None:
    fill(app, "mixed", b"plain", b'{"a": [1]}', b"\xff", None)
    _, out, _ = run("cat", "mixed", "--stop", "end", "--format", "value")
    assert out.splitlines() == ["plain", '{"a":[1]}', '{"base64":"/w=="}', "null"]


def test_raw_prints_the_bytes_of_the_value(app: sl.App, run: Run) -> None:
    fill(app, "raw", b"\xff\x00", None, b"a")
    assert run("cat", "raw", "--stop", "end", "--format", "raw")[1].encode("utf-8", "surrogateescape") == b"\xff\x00\n\na\n"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--start", "-3", "--stop", "end"], "17 18 19"),
        (["--start=-3", "--stop=end"], "17 18 19"),
        (["--start", "5", "--stop", "8"], "5 6 7"),
        (["--stop", "-18"], "0 1"),
        (["--start", "earliest", "--stop", "2"], "0 1"),
        (["--start", "latest", "--stop", "end"], ""),
        (["--start", "-1h", "--stop", "end", "--limit", "2"], "0 1"),
        (["--start=-1h30m", "--stop", "3"], "0 1 2"),
        (["--start", "-1h", "--stop", "-30m"], ""),
        (["--start", "2001-01-01", "--stop", "2001-01-02T00:00Z"], ""),
        (["--start", "0=18", "--stop", "end"], "18 19"),
        (["--start", "0=-2", "--stop", "0=19"], "18"),
    ],
)
def test_start_and_stop_take_the_whole_grammar(app: sl.App, run: Run, argv: list[str], expected: str) -> None:
    numbers(app)
    code, out, err = run("cat", "numbers", "--format", "value", *argv)
    assert (code, out.split(), err) == (0, expected.split(), "")


def test_options_may_stand_before_the_topic(app: sl.App, run: Run) -> None:
    numbers(app)
    assert run("cat", "--start", "-1", "--stop", "end", "--format=raw", "numbers")[1] == "19\n"


def test_a_position_for_each_partition(app: sl.App, run: Run) -> None:
    numbers(app, 6, partitions=2)
    out = run("cat", "numbers", "--start", "0=1,1=-1", "--stop", "end", "--format", "value")[1]
    assert sorted(out.split()) == ["2", "4", "5"]


def test_the_limit_holds_for_all_partitions_together(app: sl.App, run: Run) -> None:
    numbers(app, 20, partitions=4)
    assert len(run("cat", "numbers", "--stop", "end", "--limit", "7")[1].splitlines()) == 7


def test_without_stop_it_goes_on_and_prints_what_comes(app: sl.App, run: Run) -> None:
    numbers(app, 1)
    done: list[tuple[int, str, str]] = []
    argv = ("cat", "numbers", "--limit", "3", "--start", "earliest", "--format", "raw")
    reading = threading.Thread(target=lambda: done.append(run(*argv)))
    reading.start()
    while not done:
        wait(app.client.send("numbers", key=None, value=b"new"))
        reading.join(0.01)
    assert done[0] == (0, "0\nnew\nnew\n", "")


def test_types_are_given_by_name(app: sl.App, run: Run) -> None:
    fill(app, "typed", b"00000042", key=(7).to_bytes(8, "big"))
    out = run("cat", "typed", "--stop", "end", "--key-type", "int64", "--value-type", "bytes")[1]
    assert json.loads(out)["key"] == 7
    assert json.loads(out)["value"] == {"base64": "MDAwMDAwNDI="}


def test_what_cannot_be_decoded_goes_to_stderr_and_is_counted(app: sl.App, run: Run) -> None:
    fill(app, "numbers", b"1", b"x\x1b[31m", b"\xff", b"4")
    code, out, err = run("cat", "numbers", "--stop", "end", "--value-type", "int", "--format", "value")
    assert (code, out) == (0, "1\n4\n")
    first, second, count = err.splitlines()
    assert first.startswith("streamlab: numbers partition 0 offset 1: the value cannot be decoded: ")
    assert first.endswith(r"first bytes b'x\x1b[31m'; try another --value-type")
    assert "offset 2" in second
    assert count == "streamlab: 2 messages could not be decoded"


def test_a_key_that_cannot_be_decoded_names_the_key(app: sl.App, run: Run) -> None:
    fill(app, "keys", b"1", key=b"abc")
    _, out, err = run("cat", "keys", "--stop", "end", "--key-type", "int")
    assert out == ""
    assert "the key cannot be decoded" in err
    assert "b'abc'; try another --key-type" in err
    assert "1 message could not be decoded" in err


def test_a_value_that_json_cannot_hold_is_an_error_of_its_record(app: sl.App, run: Run) -> None:
    fill(app, "packed", b"\x81\x92\x01\x02\x03", b"\x01")
    code, out, err = run("cat", "packed", "--stop", "end", "--value-type", "msgpack", "--format", "value")
    assert (code, out) == (0, "1\n")
    assert "packed partition 0 offset 0" in err


def test_of_values_nested_as_deeply_as_can_be_read_all_are_printed_or_an_error_of_their_record(app: sl.App, run: Run) -> None:
    depths = range(800, 1000)  # writing goes one level deeper than reading, and 3.11 ends within this range
    fill(app, "deep", *(b"[" * depth + b"1" + b"]" * depth for depth in depths))
    code, out, err = run("cat", "deep", "--stop", "end")
    assert code == 0
    assert len(out.splitlines()) + err.count("deep partition 0 offset") == len(depths)


def test_text_from_a_topic_does_not_steer_a_terminal(app: sl.App, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(app, "evil", b"a\x1b]0;title\x07\tb\nc")
    assert run("cat", "evil", "--stop", "end", "--format", "value")[1] == "a\x1b]0;title\x07\tb\nc\n"
    monkeypatch.setattr("streamlab.printing.sys.stdout.isatty", lambda: True)
    assert run("cat", "evil", "--stop", "end", "--format", "value")[1] == "a␛]0;title␇\tb\nc\n"


def test_topics_are_listed_with_partitions_and_messages(app: sl.App, run: Run) -> None:
    numbers(app, 20, partitions=4)
    fill(app, "empty")
    code, out, err = run("topics")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["TOPIC", "PARTITIONS", "MESSAGES"],
        ["empty", "1", "0"],
        ["numbers", "4", "20"],
    ]


def test_no_topics_are_a_header(app: sl.App, run: Run) -> None:
    assert run("topics")[1].split() == ["TOPIC", "PARTITIONS", "MESSAGES"]


def test_an_unknown_topic_is_one_line_and_makes_nothing(app: sl.App, run: Run) -> None:
    code, out, err = run("cat", "nothing", "--stop", "end")
    assert (code, out) == (1, "")
    assert err.startswith("streamlab: ")
    assert "nothing" in err
    assert err.count("\n") == 1
    assert wait(app.client.topics()) == {}


def test_an_offset_that_is_not_there_is_one_line(app: sl.App, run: Run) -> None:
    numbers(app, 3)
    code, _, err = run("cat", "numbers", "--start", "100", "--stop", "end")
    assert code == 1
    assert err.count("\n") == 1


def test_a_broker_that_is_not_there_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise BrokerUnavailable("localhost:1 refused\nthe connection")

    monkeypatch.setattr(cli, "_records", refuse)
    assert run("cat", "orders") == (1, "", "streamlab: localhost:1 refused␊the connection\n")


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["nonsense"],
        ["cat"],
        ["cat", "t", "--start", "yesterday"],
        ["cat", "t", "--start", "end"],
        ["cat", "t", "--start", "0=x"],
        ["cat", "t", "--stop", "-10q"],
        ["cat", "t", "--start", "8", "--stop", "5"],
        ["cat", "t", "--limit", "0"],
        ["cat", "t", "--limit", "many"],
        ["cat", "t", "--value-type", "protobuf"],
        ["cat", "t", "-X", "nothing"],
        ["cat", "t", "-X", "=x"],
        ["cat", "t", "--broker", "http://x"],
        ["topics", "-X", "security.protocol=SSL"],
        ["topics", "--broker", "localhost:1", "-X", "sasl.pasword=x"],
    ],
)
def test_a_wrong_call_exits_with_2_and_says_why(run: Run, argv: list[str]) -> None:
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert err


@pytest.mark.parametrize(
    "argv",
    [
        ["topics", "--broker", "kafka://ada:hunter2@localhost:1"],
        ["topics", "--broker", "bad://ada:hunter2@localhost:1"],
        ["topics", "--broker", "localhost:1", "-X", "sasl.password=hunter2"],
        ["topics", "--broker", "localhost:1", "-X", "sasl.mechanism=hunter2", "-X", "sasl.password=hunter2"],
        ["topics", "sasl.password=hunter2"],
        ["topics", "-X", "security.protocol=SSL", "-X", "ssl.ca.pem=hunter2", "--broker", "localhost:1"],
        ["topics", "--broker", "localhost:1", "-X", "sasl.jaas.config=PlainLoginModule required password=hunter2"],
    ],
)
def test_no_error_repeats_a_password(run: Run, argv: list[str]) -> None:
    code, out, err = run(*argv)
    assert code in (1, 2)
    assert err
    assert "hunter2" not in out + err


def test_a_start_after_the_stop_is_said_as_it_was_given(run: Run) -> None:
    assert "start='8' lies after stop='5'" in run("cat", "t", "--start", "8", "--stop", "5")[2]


def test_settings_reach_the_app_in_their_own_spelling(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, object]] = []

    def refuse(_: str, **options: object) -> sl.App:
        given.append(options)
        raise BrokerUnavailable("no")

    monkeypatch.setattr("streamlab.app.App", refuse)
    run("topics", "--broker", "h:1", "-X", "security.protocol=SSL", "-X", "ssl.ca.location=/a=b")
    assert given == [{"broker": "h:1", "config": {"security.protocol": "SSL", "ssl.ca.location": "/a=b"}}]


def test_the_broker_is_the_option_else_the_variable_else_localhost(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMLAB_BROKER", "")
    assert "kafka://localhost:9092" in " ".join(run("cat", "--help")[1].split())


def test_the_demo_is_launched(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def launch(*, headless: bool) -> int:
        asked.append(headless)
        return 3

    monkeypatch.setattr("streamlab.demo_lab.launch", launch)
    assert run("demo")[0] == run("demo", "--headless")[0] == 3
    assert asked == [False, True]


def test_on_kafka_cat_reads_and_topics_counts(kafka: KafkaCluster, topic_name: str, run: Run) -> None:
    app = sl.App("cli-kafka", broker=kafka.url)
    fill(app, topic_name, *(b"%d" % number for number in range(20)), partitions=2, key=b"k")
    app.close()
    argv = ("--broker", kafka.url)
    code, out, err = run("cat", topic_name, "--start", "-2", "--stop", "end", "--format", "value", *argv)
    assert (code, sorted(out.split()), err) == (0, ["16", "17", "18", "19"], "")
    assert [topic_name, "2", "20"] in [line.split() for line in run("topics", *argv)[1].splitlines()]


def test_on_kafka_a_wrong_password_is_one_line_without_it(kafka: KafkaCluster, run: Run) -> None:
    settings = ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", "sasl.username=ada", "sasl.password=hunter2"]
    argv = [part for setting in settings for part in ("-X", setting)]
    code, out, err = run("topics", "--broker", kafka.sasl_bootstrap, *argv)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "hunter2" not in err


def test_what_happens_on_the_way_is_told_and_the_feed_is_closed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []

    class Told(Feed):
        def __init__(self, broker: Broker, topics: tuple[str, ...], **options: Any) -> None:
            super().__init__(broker, topics, **options)
            made.append(options)

        def begin(self) -> None:
            self.notice("no broker answers")
            self.handover.end()

        def close_soon(self) -> None:
            made.append({"closed": True})

    monkeypatch.setattr("streamlab.runtime.feed.Feed", Told)
    assert run("cat", "orders", "--isolation", "read_committed") == (0, "", "streamlab: no broker answers\n")
    assert made[0]["isolation"] == "read_committed"
    assert made[1] == {"closed": True}


def test_a_disk_that_is_full_is_one_line(app: sl.App, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cli, "_print_records", full)
    assert run("cat", "orders") == (1, "", "streamlab: [Errno 28] No space left on device\n")


PROGRAM = """
import sys
from streamlab import App, cli
from streamlab.runtime.io import wait
app = App("program", broker="memory://")
wait(app.client.create_topic("t"))
for _ in range(200):
    wait(app.client.send("t", key=None, value=b"x" * 100))
sys.exit(cli.main(["cat", "t", "--broker", "memory://", "--start", "earliest", "--format", "raw", *sys.argv[1:]]))
"""


def program(*argv: str) -> subprocess.Popen[bytes]:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered)


def test_ctrl_c_is_quiet_and_what_was_read_is_printed() -> None:
    with program() as running:
        assert running.stdout is not None
        lines = [running.stdout.readline() for _ in range(200)]
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err) == (130, b"", b"")
    assert set(lines) == {b"x" * 100 + b"\n"}


def test_a_reader_that_has_seen_enough_ends_it_quietly() -> None:
    with program("--stop", "end") as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(30) == 0


def test_the_command_is_installed_and_needs_neither_pandas_nor_aiokafka_to_say_what_it_does() -> None:
    code = "import sys\nfrom streamlab import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass\nassert not {'pandas', 'aiokafka'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert {"topics", "cat", "demo"} <= set(done.stdout.split())


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"streamlab {sl.__version__}\n"
