"""A told power that cannot be so."""

import pytest

from agent.home.model.believed_power import believed_power
from agent.home.model.traits import Traits

LOAD = Traits(7400.0)
ROOF = Traits(7400.0, produces=True)


@pytest.mark.parametrize("power_w", [0.0, 7400.0, 11_100.0])
def test_what_can_be_is_believed(power_w: float) -> None:
    assert believed_power(power_w, LOAD) == (power_w, None)


def test_a_meters_offset_is_nothing_taken() -> None:
    assert believed_power(-300.0, LOAD) == (0.0, None)


@pytest.mark.parametrize(("traits", "word"), [(LOAD, "taken"), (ROOF, "given")])
def test_a_meter_the_wrong_way_round_is_turned_and_named(traits: Traits, word: str) -> None:
    doubt = f"power_w -7200 is negative; it counts as {word}"
    assert believed_power(-7200.0, traits) == (7200.0, doubt)


@pytest.mark.parametrize("power_w", [11_200.0, -11_200.0])
def test_half_as_much_again_is_no_power_of_it(power_w: float) -> None:
    believed, doubt = believed_power(power_w, LOAD)
    assert believed is None
    assert doubt == "power_w 11200 is more than full power (7400 W)"
