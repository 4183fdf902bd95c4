"""The demo's part that a person clicks through: Connect, and an energy provider of its own.

`Demo Energy` is the provider integration with its own database; FlatPeak's sandbox sends browsers
to it, polls it with what the customer consented to, and gives exactly that contract's prices.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent.clock import Clock
from agent.config import Config
from agent.errors import Unavailable
from agent.web.claim_code import VALID_FOR_S, issue_claim_code
from integrations.sandbox import ConnectedProvider, FlatPeakSandbox, ProviderName
from integrations.sandbox.broker import HOST, free_port
from integrations.sandbox.locations import object_id

USERNAME = "demo-energy"
LOOK_EVERY_S = 0.2


@asynccontextmanager
async def demo_energy(sandbox: FlatPeakSandbox, clock: Clock, folder: Path) -> AsyncIterator[str]:
    """Let the sandbox's Connect offer it; gives a sentence on how to log in.

    Raises Unavailable where the packages of the extra `provider` are missing.
    """
    try:
        from integrations.provider.demo import CLIENT_SECRET, NAME, demo_provider
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"{error.name} is not installed: --connect needs the extra provider, "
            "pip install '.[demo,provider]'"
        ) from error
    password = secrets.token_urlsafe(24)
    async with demo_provider(
        folder / "demo-energy.sqlite",
        clock,
        flatpeak_url=sandbox.url,
        username=USERNAME,
        password=password,
    ) as provider:
        sandbox.integrate(
            ConnectedProvider(
                ProviderName(object_id("prv", 90), NAME),
                provider.authentication_url,
                USERNAME,
                password,
                client_secret=CLIENT_SECRET,
            )
        )
        yield f"{NAME}; log in there as {provider.login} with {provider.password}"


async def invite(config: Config, folder: Path, login: str) -> None:
    """Print where the pages are and how to get in, once they are there; the newest code counts."""
    port = int(config.model_dump()["web"]["port"])
    url = f"http://{HOST}:{port}"
    while not await _listens(port):
        await asyncio.sleep(LOOK_EVERY_S)
    code = await asyncio.to_thread(issue_claim_code, folder)
    minutes = VALID_FOR_S / 60
    print(
        f"\n  Open {url} and set a password with the code {code} (good for {minutes:.0f} minutes)."
        f"\n  Then: Tariff, Connect, {login}.\n",
        flush=True,
    )


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


def pages_section(folder: Path) -> dict[str, object]:
    """The config's sections for the local pages, on loopback."""
    return {
        "web": {"enabled": True, "host": HOST, "port": free_port()},
        "state": {"directory": str(folder)},
    }
