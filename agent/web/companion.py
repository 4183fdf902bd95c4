"""The companion: opens the port, keeps it open, says in health where it is not."""

import asyncio
import hashlib
import json
import logging
import ssl
from collections.abc import Collection, Sequence
from pathlib import Path

from agent.clock import Clock
from agent.config import Config
from agent.energy.sentences import sentence
from agent.energy.text import clean_text
from agent.ports import CompanionServices, Message
from agent.serving.connections import Limits
from agent.serving.server import Port, serving
from agent.store import REPLACE_FACT
from agent.web.claim_code import discard_claim_code, issue_claim_code
from agent.web.context import make_context
from agent.web.guard.hosts import is_near
from agent.web.port import address, explained, load_certificate, tls_context
from agent.web.routes import make_application, prepare
from agent.web.settings import WebSection

log = logging.getLogger(__name__)

PART = "web"
RETRY_S = 30.0
# A renewed certificate is used without a restart.
LOOK_AT_FILES_S = 600.0
KEEPALIVE_S = 15.0
# Who does not take an answer by then is not waited for.
SHUTDOWN_S = 1.0
# A browser opens six connections. New ones that one network may open: as many as requests.
LIMITS = Limits(most=64, most_of_one=20, opened_at_once=150.0, opened_per_s=15.0)
OWN_ERROR = "ended by an error of their own; begun anew in a moment"
CONFIG_SEEN = "web.config_seen"


class WebServer:
    """A Companion. It publishes nothing on MQTT and hears nothing there."""

    topics: Collection[str] = ()
    subscriptions: Sequence[str] = ()

    def __init__(
        self, section: WebSection, config: Config, services: CompanionServices, clock: Clock
    ) -> None:
        self._section = section
        self._services = services
        # Why there were no pages when it was logged last.
        self._said = ""
        self.context = make_context(section, config, services, clock)

    def receive(self, message: Message) -> None:
        """Nothing is subscribed to."""

    async def run(self) -> None:
        """Never ends."""
        while True:
            try:
                await self._live()
            except Exception:
                # The last door: whatever is wrong with the pages, the appliances go on.
                log.error("the local pages failed", exc_info=True)
                self._services.health.failed(PART, OWN_ERROR, "maintainer: the log says more")
            await asyncio.sleep(RETRY_S)

    async def _live(self) -> None:
        await asyncio.to_thread(prepare, self.context)
        await self._prepare_claim()
        self._note_config()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._count_changes(), name="web-changes")
            group.create_task(self._serve(), name="web-server")

    async def _count_changes(self) -> None:
        changed, changes = self._services.changed, self.context.changes
        while True:
            await changed.wait()
            changed.clear()
            changes.set(changes.value + 1)

    # --- the first visit --------------------------------------------------------------------------

    async def _prepare_claim(self) -> None:
        """Codes of an earlier life are dead; a new one is said where nobody has set a password."""
        folder = self.context.state_folder
        if self.context.account.claimed:
            await asyncio.to_thread(discard_claim_code, folder)
            return
        try:
            code = await asyncio.to_thread(issue_claim_code, folder)
        except OSError as error:
            log.error("no code for the local pages: %s", clean_text(str(error)))
            return
        log.warning(
            "the local pages wait for their owner: code %s, good for 15 minutes, at %s",
            code,
            address(self._section),
        )

    def _note_config(self) -> None:
        """Which sections of the config are others than at the last start, by their hashes."""
        store, found = self._services.database, {}
        config = self.context.config.model_dump(mode="json")
        for name, section in config.items():
            found[name] = hashlib.sha256(json.dumps(section).encode()).hexdigest()[:16]
        try:
            seen = json.loads(store.get_value(CONFIG_SEEN) or "null")
        except ValueError:
            seen = None
        if isinstance(seen, dict):
            changed = sorted(name for name in found if found[name] != seen.get(name))
            if changed:
                self.context.security_log.record("config_changed", ", ".join(changed))
        text = json.dumps(found)
        if seen != found:
            store.submit((REPLACE_FACT, (CONFIG_SEEN, text)))

    # --- the port ---------------------------------------------------------------------------------

    async def _serve(self) -> None:
        while True:
            try:
                await self._serve_once()
            except (OSError, UnicodeError) as error:
                why, action = explained(error, self._section)
                self._services.health.failed(PART, why, action)
                if why != self._said:
                    self._said = why
                    log.error("the local pages are not there: %s (%s)", why, action)
            # Real seconds: it waits for the machine, not for the house.
            await asyncio.sleep(RETRY_S)

    async def _serve_once(self) -> None:
        """Until it is cancelled. Raises OSError where the port or a file is not to be had."""
        section = self._section
        context = await asyncio.to_thread(tls_context, section)
        port = Port(
            section.host, section.port, context, accepts=is_near if section.lan_only else None
        )
        application = make_application(self.context)
        async with serving(
            application, port, LIMITS, keepalive_s=KEEPALIVE_S, shutdown_s=SHUTDOWN_S
        ):
            at = address(section)
            self._services.health.ok(PART, sentence("at {address}", address=at))
            if self._said:
                self._said = ""
                log.warning("the local pages are there again, at %s", at)
            await self._renew(context)

    async def _renew(self, context: ssl.SSLContext | None) -> None:
        """Never ends. A certificate that cannot be read leaves the old one in its place."""
        section = self._section
        seen = await asyncio.to_thread(_changed_at, section)
        while True:
            await asyncio.sleep(LOOK_AT_FILES_S)
            found = await asyncio.to_thread(_changed_at, section)
            if context is None or found == seen:
                continue
            seen = found
            try:
                await asyncio.to_thread(load_certificate, context, section)
            except OSError as error:
                why, action = explained(error, section)
                self._services.health.degraded(PART, why, action)
            else:
                self._services.health.ok(PART, sentence("at {address}", address=address(section)))


def _changed_at(section: WebSection) -> tuple[float, ...]:
    files = (section.certificate_file, section.key_file)
    return tuple(_mtime(path) for path in files if path is not None)


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
