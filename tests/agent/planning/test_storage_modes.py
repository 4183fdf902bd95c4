"""What a battery is told beside its power, so that its own logic does what was planned."""

from agent.energy.plan import Slot
from tests.agent.planning.joint.homes import HOUR, NOW, battery, home, joint_plan, site, spans

DEAR = [0.40, 0.40]


def modes(*slots: Slot) -> list[tuple[float, float, str, float]]:
    """(first hour, last hour, mode, kW)."""
    return [
        (
            (s.start - NOW) / HOUR,
            (s.end - NOW) / HOUR,
            str(s.mode),
            round(float(s.power_w) / 1000, 3),
        )
        for s in slots
    ]


def told(kwh: float, *, base: float = 1, pv: float = 0) -> list[tuple[float, float, str, float]]:
    """Two dear hours of a battery that is to keep 0.5 kWh of 2 kWh."""
    one = battery(kwh, min_kwh=0.5)
    at = site(base_load=spans(base, base), pv=spans(pv, pv))
    return modes(*joint_plan(home(DEAR, one, site=at)).devices[0].slots)


def test_at_the_minimum_that_is_kept_it_is_held_while_something_is_drawn() -> None:
    """Its own logic knows nothing of the minimum and would go on to its own empty."""
    assert told(0.5) == [(0, 2, "hold", 0)]


def test_above_the_minimum_its_own_logic_does_what_is_planned_and_then_it_is_held() -> None:
    first, *rest = told(1.5)
    assert first == (0, 1, "auto", -1)
    assert rest == [(1, 2, "hold", 0)]


def test_at_the_minimum_it_is_left_to_itself_while_the_roof_gives_more_than_is_drawn() -> None:
    assert {(mode, kw) for _, _, mode, kw in told(0.5, base=0, pv=0.5)} == {("auto", 0.5)}


def test_at_the_minimum_with_nothing_drawn_there_is_nothing_to_hold() -> None:
    assert told(0.5, base=0) == []


def test_it_is_held_above_its_minimum_for_a_dearer_hour() -> None:
    one = battery(1.5, min_kwh=0.5)
    plan = joint_plan(home([0.20, 0.40], one, site=site(base_load=spans(1, 1))))
    assert [one[2] for one in modes(*plan.devices[0].slots)] == ["hold", "auto"]
