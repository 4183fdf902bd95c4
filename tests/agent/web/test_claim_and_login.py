"""From the one-time code to the password, as a visitor meets it."""

from pathlib import Path

from tests.fakes.web_home import running, visitor


async def test_with_the_code_a_password_is_set_and_opens_the_pages(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        status, text = await owner.get("/")
        assert (status, "One-time code" in text) == (200, True)
        code = house.code()
        answer = await owner.claim(code)
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        status, text = await owner.get("/")
        assert status == 200
        assert "ct/kWh" in text
        assert "Ev" in text
