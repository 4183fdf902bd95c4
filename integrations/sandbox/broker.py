"""A broker of our own on loopback, for demo and tests: Mosquitto where it is found, else iotcore.

Never for production: iotcore has limits that matter there, and neither has passwords here.
"""

import asyncio
import contextlib
import itertools
import random
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import aiomqtt

from agent.errors import Unavailable

HOST = "127.0.0.1"
READY_WITHIN_S = 10.0
# Debian keeps servers out of a person's PATH.
MOSQUITTO_PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")

# Below what systems give to connections: 32,768 on Linux, 49,152 elsewhere.
PORTS, PORTS_TRIED = range(20_000, 32_000), 200

# A shell stands between, which ends the broker when our end of its pipe closes: also where we were
# killed. (PR_SET_PDEATHSIG would be forgotten when Mosquitto changes its user.)
END_WITH_US = '"$@" </dev/null & read -r _; kill $!; wait'

IOTCORE_CONFIG = """
id = 0
[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 60000
max_segment_size = 1048576
max_segment_count = 4
"""
IOTCORE_LISTENER = """
[{version}.1]
name = "{version}-1"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
[{version}.1.connections]
connection_timeout_ms = 5000
max_payload_size = 1048576
max_inflight_count = 100
dynamic_filters = true
"""


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker. iotcore speaks MQTT 5 on a port of its own, Mosquitto on the same.

    `protocol` is what everybody on `port` should speak. iotcore's listener for 3.1.1 ends for good
    when it has to hand on a message with properties of MQTT 5, such as an expiry.
    """

    name: str
    port: int
    v5_port: int
    protocol: str = "auto"


def find_mosquitto() -> str | None:
    """The Mosquitto program, None where it is not installed."""
    found = shutil.which("mosquitto")
    places = (Path(folder) / "mosquitto" for folder in MOSQUITTO_PLACES)
    return found or next((str(path) for path in places if path.is_file()), None)


@contextlib.asynccontextmanager
async def open_broker(choice: str = "auto", port: int = 0) -> AsyncIterator[Broker]:
    """A broker for as long as the block runs; `choice` is auto, mosquitto or embedded.

    `port` 0 is one that is free. Raises Unavailable where the chosen broker is not on this machine,
    where somebody else has the port, or where it does not start.
    """
    program = find_mosquitto() if choice != "embedded" else None
    if choice == "mosquitto" and program is None:
        raise Unavailable("mosquitto is not installed; install it or use --broker embedded")
    port = _unused(port) if port else free_port()
    with tempfile.TemporaryDirectory(prefix="flatpeak-broker-") as path:
        folder = Path(path)
        opened = _mosquitto(program, folder, port) if program else _iotcore(folder, port)
        async with opened as broker:
            yield broker


@contextlib.asynccontextmanager
async def _mosquitto(program: str, folder: Path, port: int) -> AsyncIterator[Broker]:
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} {HOST}\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n"
        "max_queued_messages 20000\nlog_dest none\n"
    )
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        END_WITH_US,
        "sh",
        program,
        "-c",
        str(config),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        # Signals of the terminal are for us: the broker must outlive the agent's last words.
        start_new_session=True,
    )
    try:
        await _wait_until_ready("mosquitto", port)
        yield Broker("mosquitto", port, port)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


@contextlib.asynccontextmanager
async def _iotcore(folder: Path, port: int) -> AsyncIterator[Broker]:
    try:
        import iotcore
    except ImportError:
        raise Unavailable(
            "no broker on this machine: install mosquitto, or pip install "
            "'flatpeak-edge-agent[demo]' for the embedded one"
        ) from None
    v5_port = free_port()
    config = folder / "iotcore.toml"
    config.write_text(
        IOTCORE_CONFIG
        + IOTCORE_LISTENER.format(version="v4", port=port)
        + IOTCORE_LISTENER.format(version="v5", port=v5_port)
    )
    broker = iotcore.Broker(config_path=str(config))
    try:
        await asyncio.to_thread(_spawn_ignoring_signals, broker.start)
    except RuntimeError as error:
        raise Unavailable(f"the embedded broker does not start on {HOST}: {error}") from error
    try:
        await _wait_until_ready("iotcore", port)
        yield Broker("iotcore", port, v5_port, protocol="3.1.1")
    finally:
        await asyncio.to_thread(broker.stop)


def _spawn_ignoring_signals(start: Callable[[], object]) -> None:
    """Ctrl-C and the terminal's end go to every process of it; a child inherits what its starter
    blocks. It ends by itself when its pipe to us closes."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def _wait_until_ready(name: str, port: int) -> None:
    """Until a real MQTT connect succeeds. Raises Unavailable where none does."""
    last = "it does not answer"
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            for attempt in itertools.count():
                client = aiomqtt.Client(
                    HOST, port, identifier=f"probe-{port}-{attempt}", timeout=2, keepalive=5
                )
                try:
                    async with client:
                        return
                except aiomqtt.MqttError as error:
                    last = str(error)
                    await asyncio.sleep(0.05)
    except TimeoutError:
        other = "embedded" if name == "mosquitto" else "mosquitto"
        raise Unavailable(
            f"the broker {name} does not start on {HOST}:{port} ({last}); try --broker {other}"
        ) from None


def _unused(port: int) -> int:
    """The port. Raises Unavailable where another has it: his broker would be taken for ours."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, port))
        except OSError as error:
            raise Unavailable(f"{HOST} port {port}: {error.strerror}") from error
    return port


def free_port() -> int:
    """A port on loopback that was free a moment ago. Raises Unavailable where none is found.

    None of those that the system gives to connections: who connects to such a one while nobody
    listens there may be given it himself, talks to himself, and keeps it from the listener.
    """
    for port in random.SystemRandom().sample(PORTS, PORTS_TRIED):
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind((HOST, port))
            return port
    raise Unavailable(f"no free port on {HOST} from {PORTS[0]} to {PORTS[-1]}")
