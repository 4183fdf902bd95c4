"""Whose tries are counted and who is recorded, behind load balancers and without."""

import asyncio
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.fakes.provider import MakeProvider, Provider

OWN = "127.0.0.1"
CLIENT, LIE = "192.0.2.7", "198.51.100.66"


async def seen(provider: Provider, *lines: str) -> str:
    """The address that is recorded for a request with these lines of X-Forwarded-For."""
    port = urlsplit(provider.url).port
    reader, writer = await asyncio.open_connection(OWN, port)
    head = [f"GET {urlsplit(provider.arrival('cot_unheard_of')).path}?connect_token=cot_unheard_of"]
    head[0] += " HTTP/1.1"
    head += [f"Host: {OWN}:{port}", "Connection: close"]
    head += [f"X-Forwarded-For: {line}" for line in lines]
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1"))
    assert b" 410 " in (await reader.read()).splitlines()[0]
    writer.close()
    return (await provider.audit())[-1]["address"]


@pytest.mark.parametrize(
    ("proxies", "lines", "address"),
    [
        (0, (), OWN),
        (0, (LIE,), OWN),
        (1, (CLIENT,), CLIENT),
        # What the client wrote itself stands before what our proxy added, in its line or another.
        (1, (f"{LIE}, {CLIENT}",), CLIENT),
        (1, (LIE, CLIENT), CLIENT),
        (1, (f"{LIE},{LIE}", f" {CLIENT} "), CLIENT),
        (2, (f"{CLIENT}, 10.0.0.2",), CLIENT),
        (2, (f"{LIE}, {CLIENT}, 10.0.0.2",), CLIENT),
        (2, (LIE, CLIENT, "10.0.0.2"), CLIENT),
        # By fewer proxies than there are: past one of them.
        (2, (LIE,), OWN),
        (1, (), OWN),
        (1, ("",), OWN),
        (1, ("unknown",), OWN),
        (1, ("<script>",), OWN),
        (1, ("'; DROP TABLE audit; --",), OWN),
        (1, (f"{CLIENT}, _hidden",), OWN),
        (1, ("9" * 4000,), OWN),
        (1, (f"{CLIENT}:50123",), CLIENT),
        (1, ("[2001:DB8:0::1]:443",), "2001:db8::1"),
        (1, ('"[2001:db8::1]"',), "2001:db8::1"),
        (1, ("2001:db8::1",), "2001:db8::1"),
        (1, ("fe80::1%eth0",), "fe80::1"),
    ],
)
async def test_only_what_our_own_proxies_added_is_believed(
    sqlite_url: str, make_provider: MakeProvider, proxies: int, lines: tuple[str, ...], address: str
) -> None:
    provider = await make_provider(sqlite_url, load=False, http_section={"proxies": proxies})
    assert await seen(provider, *lines) == address


async def test_made_up_tokens_are_bounded_for_each_client_behind_the_proxy(
    sqlite_url: str, make_provider: MakeProvider
) -> None:
    provider = await make_provider(
        sqlite_url,
        http_section={"proxies": 1},
        login_section={"unknown_tokens_per_address": 5},
    )
    async with aiohttp.ClientSession() as http:

        async def arrive(token: str, forwarded: str) -> aiohttp.ClientResponse:
            headers = {"X-Forwarded-For": forwarded}
            async with http.get(
                provider.arrival(token), headers=headers, allow_redirects=False
            ) as answer:
                return answer

        # Good ones do not count, however many there are.
        for _ in range(8):
            assert (await arrive(provider.flatpeak.new_token(), "2001:db8::1")).status == 303
        http.cookie_jar.clear()
        made_up = [arrive(f"cot_made_up_{n}", f"{LIE}, 2001:db8::{n}") for n in range(1, 13)]
        statuses = [answer.status for answer in await asyncio.gather(*made_up)]
        assert sorted(statuses) == [410] * 5 + [429] * 7
        refused = await arrive(provider.flatpeak.new_token(), "2001:db8::1")
        assert (refused.status, refused.headers["Retry-After"]) == (429, "900")
        assert (await arrive(provider.flatpeak.new_token(), "2001:db8:0:1::1")).status == 303
        provider.clock.forward(minutes=15)
        assert (await arrive(provider.flatpeak.new_token(), "2001:db8::1")).status == 303
