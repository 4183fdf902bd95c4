"""A told power that cannot be so: turned round, or more than the device can take. Pure."""

from agent.energy.sentences import sentence
from agent.home.model.switching import ON_POWER_FRACTION
from agent.home.model.traits import Traits

# A heat pump may well draw half as much again as its name plate says; more is a slip of the meter
# or of its unit.
BELIEVED_POWER = 1.5


def believed_power(power_w: float, traits: Traits) -> tuple[float | None, str | None]:
    """What counts of a told power, W at least 0, None where nothing does; and what is wrong."""
    turned = power_w < -ON_POWER_FRACTION * traits.max_power_w
    # Nothing that is planned as a load gives power back: its meter sits the other way round.
    told, doubt = f"{power_w:g}", None
    if turned and traits.produces:
        doubt = sentence("power_w {told} is negative; it counts as given", told=told)
    elif turned:
        doubt = sentence("power_w {told} is negative; it counts as taken", told=told)
    power_w = abs(power_w) if turned else max(0.0, power_w)
    if power_w <= BELIEVED_POWER * traits.max_power_w:
        return power_w, doubt
    return None, sentence(
        "power_w {told} is more than full power ({most} W)",
        told=f"{power_w:.0f}",
        most=f"{traits.max_power_w:g}",
    )
