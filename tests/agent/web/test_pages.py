"""What a new page relies on: the registry, ways to other sites and back, German."""

from pathlib import Path

import pytest
from aiohttp import web

from agent.web.pages import PAGES
from agent.web.pages.page import Page
from agent.web.visit import Visit
from tests.fakes.web_home import running, visitor

ELSEWHERE = "https://connect.example"


async def show(visit: Visit) -> web.Response:
    return await visit.page("error.html", {"status": 200, "text": "a new page"})


async def came_back(visit: Visit) -> web.Response:
    return visit.redirect("/probe", f"came back with {visit.request.query['token']}")


async def leave(visit: Visit) -> web.Response:
    return visit.leave_for(f"{ELSEWHERE}/?token=abc")


async def go_on(visit: Visit) -> web.Response:
    return await visit.go_on_to(f"/probe/leave?name={visit.form['name']}")


async def fail(visit: Visit) -> web.Response:
    raise RuntimeError(visit.request.path)


async def lead_elsewhere(visit: Visit) -> web.Response:
    return visit.redirect(visit.form["to"])


PROBE = Page(
    "probe",
    "/probe",
    show,
    parts={"callback": came_back, "fail": fail, "leave": leave},
    actions={"go": go_on, "stray": leave, "lead": lead_elsewhere},
    in_menu=False,
)


@pytest.fixture(autouse=True)
def with_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.web.routes.PAGES", (*PAGES, PROBE))


async def test_a_page_is_one_entry_of_the_registry(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        for path in ("/probe", "/probe/callback?token=1"):
            assert (await owner.get(path, allow_redirects=False))[0] == 303
        await owner.claim(house.code())
        async with owner.session.get(f"{house.url}/probe") as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "form-action 'self';" in policy
            assert "a new page" in await answer.text()
        answer = await owner.send("/probe/go", name="abc")
        # The token of the form is that of a page of ours, which has to be read first.
        assert answer.status == 403
        await owner.get("/probe")
        await owner.get("/")
        answer = await owner.send("/probe/go", name="abc")
        assert (answer.status, answer.headers["Refresh"]) == (200, "0; url=/probe/leave?name=abc")
        async with owner.session.get(f"{house.url}/probe/leave", allow_redirects=False) as answer:
            assert answer.headers["Location"] == f"{ELSEWHERE}/?token=abc"
        _, text = await owner.get("/probe/callback", params={"token": "<b>1</b>"})
        assert "came back with &lt;b&gt;1&lt;/b&gt;" in text
        assert "came back" not in (await owner.get("/probe"))[1]


async def test_what_a_page_does_wrong_stays_with_it(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        status, text = await owner.get("/probe/fail")
        assert (status, "RuntimeError" in text) == (500, False)
        await owner.get("/")
        # A form that leads to another site would be stopped by browsers, without a word.
        assert (await owner.send("/probe/stray")).status == 500
        for wanted in (ELSEWHERE, "//connect.example", "/\\connect.example", "probe"):
            assert (await owner.send("/probe/lead", to=wanted)).status == 500
        assert (await owner.get("/health"))[0] == 200


async def test_the_pages_are_german_for_who_wants_it(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        _, text = await owner.get("/", headers={"Accept-Language": "de"})
        assert '<html lang="de">' in text
        assert "Eine Kilowattstunde jetzt" in text
        assert ",2 ct/kWh" in text
        await owner.get("/", params={"language": "de"})
        assert "Zustand" in (await owner.get("/health"))[1]
    async with running(tmp_path / "two", language="de") as house, visitor(house.url) as owner:
        assert "Gateway einrichten" in (await owner.get("/claim"))[1]
