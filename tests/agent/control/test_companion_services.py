"""What pages and home automation are told of the house as a whole."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.control.companion_services import limit_text
from agent.web.words import Words

ZONE = ZoneInfo("Europe/Berlin")
FRIDAY = datetime(2026, 11, 27, 13, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "english", "german"),
    [
        (2, "until 16:00", "bis 16:00"),
        (12, "until Sat 02:00", "bis Sa 02:00"),
        (48, "until Sun 14:00", "bis So 14:00"),
        (24 * 9, "until 2026-12-06 14:00", "bis 6.12.2026 14:00"),
    ],
)
def test_a_limit_that_ends_on_another_day_says_the_day(
    hours: int, english: str, german: str
) -> None:
    text = limit_text(17_000, FRIDAY + timedelta(hours=hours), FRIDAY, ZONE, said=True)
    assert text == f"the grid allows 17 kW {english}"
    assert Words("de", ZONE).plain(text) == f"das Netz erlaubt 17 kW {german}"


def test_the_failsafe_is_nothing_that_somebody_has_said() -> None:
    text = limit_text(4200, None, FRIDAY, ZONE, said=False)
    assert text == "nobody has said what the grid allows: 4.2 kW count as safe"
    assert limit_text(4200, None, FRIDAY, ZONE, said=True) == "the grid allows 4.2 kW"
