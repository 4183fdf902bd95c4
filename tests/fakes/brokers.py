"""Real brokers for tests: Mosquitto with any configuration, a watcher that sees every property.

Waiting is for events, with a limit only so that a broken test ends.
"""

import asyncio
import contextlib
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt

from agent.mqtt.connection import MqttConnection
from integrations.sandbox.broker import HOST, find_mosquitto, free_port
from tests.fakes.parts import lacking

# Everything waited for is an event; this only ends a test that hangs, however busy the machine is.
PATIENCE_S = 120.0


def mosquitto_program() -> str:
    """The program; the test is skipped where it is not installed."""
    program = find_mosquitto()
    if program is None:
        lacking("mosquitto")
    return program


class Mosquitto:
    """One Mosquitto that can be stopped and started again on the same port.

    `lines` are its configuration; a listener is added where they name none.
    """

    def __init__(self, folder: Path, lines: Sequence[str] = (), port: int = 0) -> None:
        self._program = mosquitto_program()
        self.port = port or free_port()
        given = "\n".join(lines).replace("{port}", str(self.port))
        listener = "" if "listener" in given else f"listener {self.port} {HOST}\n"
        access = "" if "allow_anonymous" in given else "allow_anonymous true\n"
        self._config = folder / f"mosquitto-{self.port}.conf"
        # Root would be changed into a user who cannot read the test's files.
        self._config.write_text(
            f"user root\n{listener}{access}persistence false\nlog_dest stderr\n{given}\n"
        )
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            self._program,
            "-c",
            str(self._config),
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        stream = self._process.stderr
        assert stream is not None
        said = []
        async with asyncio.timeout(PATIENCE_S):
            while line := await stream.readline():
                said.append(line)
                # Its last word; a test's folder may have that word in its name.
                if line.rstrip().endswith(b" running"):
                    self._drain = asyncio.create_task(stream.read())
                    return
        raise AssertionError(f"mosquitto does not start: {b''.join(said).decode()}")

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await process.wait()
            await self._drain

    def freeze(self) -> None:
        """It keeps its sockets and answers nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def __aenter__(self) -> "Mosquitto":
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()


def password_file(folder: Path, **users: str) -> Path:
    """A password file in Mosquitto's own format."""
    path = folder / "passwords"
    path.touch(mode=0o600)
    for user, password in users.items():
        subprocess.run(["mosquitto_passwd", "-b", str(path), user, password], check=True)
    return path


@dataclass(frozen=True)
class Heard:
    """One message as it came; `expiry_s` only under MQTT 5."""

    topic: str
    payload: bytes
    retain: bool
    qos: int
    expiry_s: int | None = None


@dataclass
class Watcher:
    """Records what it subscribed to; `until` waits for what is wanted."""

    client: aiomqtt.Client
    port: int
    heard: list[Heard] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def pump(self) -> None:
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            expiry = getattr(message.properties, "MessageExpiryInterval", None)
            topic = str(message.topic)
            self.heard.append(Heard(topic, message.payload, message.retain, message.qos, expiry))
            self._news.set()

    async def until(
        self, wanted: Callable[[list[Heard]], bool], patience_s: float = PATIENCE_S
    ) -> None:
        async with asyncio.timeout(patience_s):
            while not wanted(self.heard):
                self._news.clear()
                await self._news.wait()

    async def until_heard(self, topic: str, payload: bytes | None = None) -> Heard:
        """The first message on the topic, with that payload where one is given."""

        def found(heard: list[Heard]) -> list[Heard]:
            return [
                item
                for item in heard
                if item.topic == topic and (payload is None or item.payload == payload)
            ]

        await self.until(lambda heard: bool(found(heard)))
        return found(self.heard)[0]

    def payloads(self, topic: str) -> list[bytes]:
        return [item.payload for item in self.heard if item.topic == topic]


@contextlib.asynccontextmanager
async def watching(
    port: int,
    topic: str = "#",
    *,
    name: str = "watcher",
    protocol: aiomqtt.ProtocolVersion = aiomqtt.ProtocolVersion.V5,
    **settings: object,
) -> AsyncIterator[Watcher]:
    """A client that has subscribed to `topic` and records."""
    client = aiomqtt.Client(
        HOST,
        port,
        identifier=name,
        protocol=protocol,
        timeout=PATIENCE_S,
        keepalive=30,
        **settings,  # type: ignore[arg-type]  # those of aiomqtt
    )
    async with client:
        watcher = Watcher(client, port)
        await client.subscribe(topic, 1)
        pump = asyncio.create_task(watcher.pump())
        try:
            yield watcher
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)


def cut(post: MqttConnection) -> None:
    """The network takes the connection away."""
    assert post._client is not None
    sock = post._client._client.socket()
    assert isinstance(sock, socket.socket)
    sock.shutdown(socket.SHUT_RDWR)


class Authority:
    """A certificate authority of the test's own, made with openssl."""

    def __init__(self, folder: Path, name: str = "test authority") -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "ca.pem"
        self._key = folder / "ca.key"
        self._openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
            "-subj",
            f"/CN={name}",
            "-keyout",
            str(self._key),
            "-out",
            str(self.file),
        )

    def issue(self, name: str, usage: str = "serverAuth", names: str = "") -> tuple[Path, Path]:
        """Certificate and key for `names` (subjectAltName, as openssl writes it)."""
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        request, extra = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        extra.write_text(
            "authorityKeyIdentifier=keyid\nbasicConstraints=CA:FALSE\n"
            f"keyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n"
            + (f"subjectAltName={names}\n" if names else "")
        )
        self._openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes",
            "-subj",
            f"/CN={name}",
            "-keyout",
            str(key),
            "-out",
            str(request),
        )
        self._openssl(
            "x509 -req -days 2 -CAcreateserial",
            "-in",
            str(request),
            "-CA",
            str(self.file),
            "-CAkey",
            str(self._key),
            "-extfile",
            str(extra),
            "-out",
            str(certificate),
        )
        return certificate, key

    def _openssl(self, command: str, *more: str) -> None:
        subprocess.run(["openssl", *command.split(), *more], check=True, capture_output=True)
