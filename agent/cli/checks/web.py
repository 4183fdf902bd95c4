"""The local pages: would their certificate and their port do? Nothing is left open."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path

from agent.cli.checks.machine import closed_to_others
from agent.cli.checks.result import CheckResult, failed, passed, warning
from agent.cli.service import Service
from agent.config import Config
from agent.web.port import address, explained, tls_context
from agent.web.settings import WebSection

ANSWER_TIMEOUT_S = 3.0
MOST_HEAD_BYTES = 4096
# As agent/web/guard/headers.py has it in every answer.
OURS = b"server: flatpeak-agent"
FIRST_OPEN_PORT = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
MISMATCH = "KEY_VALUES_MISMATCH"


async def check_web(config: Config, service: Service | None) -> list[CheckResult]:
    """Of pages that are switched off nothing is tried."""
    section: WebSection = getattr(config, "web", WebSection())
    if not section.enabled:
        return [passed("web", "the local pages are switched off (web.enabled)")]
    found = [*_check_files(section, service), *await _check_port(section, service)]
    return found or [passed("web", f"{address(section)} can be opened")]


def _check_files(section: WebSection, service: Service | None) -> Iterator[CheckResult]:
    files = {"certificate_file": section.certificate_file, "key_file": section.key_file}
    for name, file in files.items():
        if file is None:
            continue
        try:
            file.open("rb").close()
        except OSError as error:
            yield failed("web", f"{name} {file}: {error.strerror}", f"mend web.{name}")
            return
        if service is not None and (closed := closed_to_others(file)):
            yield failed(
                "web",
                f"{closed} may not be read by others, and so not by the service's user",
                f"let it be read, or give another web.{name}",
            )
    try:
        tls_context(section)
    except ssl.SSLError as error:
        if MISMATCH in str(error):
            text = f"{section.key_file} is not the key of {section.certificate_file}"
            yield failed("web", text, "mend web.key_file")
        else:
            yield failed("web", explained(error, section)[0], "mend web.certificate_file")


async def _check_port(section: WebSection, service: Service | None) -> list[CheckResult]:
    where = f"port {section.port}" + (f" of {section.host}" if section.host else "")
    try:
        _open_some(await _places(section))
    except (socket.gaierror, UnicodeError):
        text = f"web.host {section.host} is no name that this machine knows"
        return [failed("web", text, "give an address of this machine, or leave web.host out")]
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            text = f"web.host {section.host} is no address of this machine"
            return [failed("web", text, "give one that is, or leave web.host out")]
        if error.errno == errno.EADDRINUSE:
            return [await _who_has(section, where)]
        text = f"{where} cannot be opened by uid {os.getuid()}: {error.strerror}"
        return [failed("web", text, "give another web.port, such as 8780")]
    if service is not None and section.port < _first_open_port():
        text = f"{where} is for root alone, and the service's user is another"
        return [warning("web", text, "give another web.port, such as 8780")]
    return []


async def _places(section: WebSection) -> list[tuple[int, tuple[object, ...]]]:
    """Family and address of each socket that the server would open. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(
        section.host, section.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return list(dict.fromkeys((info[0], tuple(info[4])) for info in found))


def _open_some(places: Iterable[tuple[int, tuple[object, ...]]]) -> None:
    """As the server does: a family that the machine has not is passed over. Raises OSError."""
    opened, missing = False, None
    for place in places:
        try:
            _open_and_close(place)
            opened = True
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
            missing = error
    if missing is not None and not opened:
        raise missing


def _open_and_close(place: tuple[int, tuple[object, ...]]) -> None:
    """Nobody can connect: it does not listen. Raises OSError."""
    family, where = place
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        sock.listen(1)


async def _who_has(section: WebSection, where: str) -> CheckResult:
    if await _is_ours(section):
        return passed("web", f"{address(section)} is open: an agent runs")
    text = f"{where} is taken by another program"
    return failed("web", text, "free it, or give another web.port")


async def _is_ours(section: WebSection) -> bool:
    """Does who answers there say that it is the agent?"""
    tls = None
    if section.certificate_file is not None:
        tls = ssl.create_default_context()
        # It is asked who it is, and told nothing.
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(
                section.host or "localhost", section.port, ssl=tls
            )
            try:
                writer.write(b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                head = await reader.read(MOST_HEAD_BYTES)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return OURS in head.lower()


def _first_open_port() -> int:
    try:
        return int(FIRST_OPEN_PORT.read_text())
    except (OSError, ValueError):
        return 1024
