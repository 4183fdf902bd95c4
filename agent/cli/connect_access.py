"""Who connects the tariff for the command: the running agent, else the command itself.

The database is its holder's alone, so it is opened here only for each read and write: an agent that
starts meanwhile is not kept waiting, finds the session, and goes on with it.
"""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from agent.cli.common import DATABASE
from agent.clock import SystemClock
from agent.config import Config
from agent.connect_ports import ConnectableSource
from agent.database.problem import READ_ERRORS, Damaged, Empty, NewerSchema
from agent.errors import Refused
from agent.health import Health
from agent.ports import TariffSource
from agent.store import Store, StoreInUse
from agent.tariff.connecting.connection_store import ConnectionStore
from agent.tariff.connecting.connector import TariffConnector
from agent.tariff.connecting.control_socket import act, ask, state_of
from agent.tariff.records import Records
from integrations.registry import tariff_source

NO_SOURCE = "the prices are not from a source whose tariff can be connected: see tariff.source"
LOOK_EVERY_S = 1.0
AGENT_BEGINS_ANEW = "an agent moves it aside at its start and begins anew"
ONLY_LOOKING = ("status", "refresh")


class NotWritableError(Exception):
    """The state folder takes nothing; the text says why."""


class Access(Protocol):
    """`ask` answers as `control_socket.ask` does; `wait` lets a moment pass, working meanwhile."""

    async def ask(self, question: Mapping[str, object]) -> Mapping[str, Any]: ...

    async def wait(self) -> None: ...

    async def close(self) -> None: ...


class RunningAgent:
    """The agent does the work."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def ask(self, question: Mapping[str, object]) -> Mapping[str, Any]:
        return await ask(self._folder, question)

    async def wait(self) -> None:
        await asyncio.sleep(LOOK_EVERY_S)

    async def close(self) -> None:
        """Nothing is kept open."""


class OwnWork:
    """No agent runs: this process does the work. Raises StoreInUse once one does."""

    def __init__(
        self, connector: TariffConnector, source: TariffSource, facts: "BriefFacts"
    ) -> None:
        self._connector = connector
        self._source = source
        self._facts = facts

    async def ask(self, question: Mapping[str, object]) -> Mapping[str, Any]:
        if question.get("do") not in ONLY_LOOKING:
            # Before anything is asked of the source that could not be kept.
            self._facts.check_writable()
        said = await act(self._connector, question)
        return {"state": state_of(self._connector), "said": said}

    async def wait(self) -> None:
        await self._connector.step()
        await asyncio.sleep(LOOK_EVERY_S)

    async def close(self) -> None:
        await self._source.close()


class BriefFacts:
    """Named facts of a database that is held by nobody; each write opens and closes it.

    Whoever only looks makes none and begins none anew. One that takes nothing is read as far as it
    can be. Raises StoreInUse where an agent has it now, NotWritableError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._facts: dict[str, str] = {}
        self._problem = ""
        try:
            store = Store.existing(path)
        except (FileNotFoundError, Empty):
            return
        except (Damaged, *READ_ERRORS) as error:
            raise NotWritableError(f"{path.name}: {error}; {AGENT_BEGINS_ANEW}") from error
        except (OSError, NewerSchema) as error:
            raise NotWritableError(f"{path.name}: {error}") from error
        with contextlib.closing(store):
            rows = store.rows("SELECT name, value FROM facts", (), lambda row: (row[0], row[1]))
            self._facts.update(rows)
            self._problem = store.problem.why if store.problem else ""

    def get_value(self, name: str) -> str | None:
        return self._facts.get(name)

    def set_value(self, name: str, value: str) -> None:
        if self._facts.get(name) == value:
            return
        with contextlib.closing(self._open()) as store:
            store.set_value(name, value)
        self._facts[name] = value

    def check_writable(self) -> None:
        """Raises NotWritableError."""
        if self._problem:
            raise NotWritableError(self._problem)
        self._open().close()

    def _open(self) -> Store:
        store = Store.open(self._path, SystemClock().now())
        if not store.durable:
            self._problem = store.problem.why if store.problem else "it cannot be written"
            store.close()
            raise NotWritableError(self._problem)
        if os.geteuid() == 0:
            self._give_to_owner()
        return store

    def _give_to_owner(self) -> None:
        """What root makes here is for a service with a user of its own."""
        owner = self._path.parent.stat()
        for file in self._path.parent.glob(f"{self._path.name}*"):
            with contextlib.suppress(OSError):
                os.chown(file, owner.st_uid, owner.st_gid, follow_symlinks=False)


async def open_access(config: Config, folder: Path) -> Access:
    """The connection, by the running agent or in its place.

    Raises Refused where the config's source cannot be connected, NotWritableError, and StoreInUse
    where an agent runs that cannot be spoken to.
    """
    agent = RunningAgent(folder)
    try:
        await agent.ask({"do": "status"})
    except ConnectionError:
        return _own_work(config, folder)
    return agent


def _own_work(config: Config, folder: Path) -> OwnWork:
    clock = SystemClock()
    source = tariff_source(config.tariff, clock)
    if not isinstance(source, ConnectableSource):
        raise Refused(NO_SOURCE, "no_source")
    health = Health(clock)
    facts = BriefFacts(folder / DATABASE)
    connector = TariffConnector(
        source.connect_api,
        ConnectionStore(Records(facts, health)),
        clock,
        health,
        configured_location=source.configured_location,
    )
    return OwnWork(connector, source, facts)


__all__ = ["NO_SOURCE", "Access", "NotWritableError", "StoreInUse", "open_access"]
