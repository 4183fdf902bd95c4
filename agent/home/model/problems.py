"""What is wrong with a device, as health says it. Pure."""

from datetime import datetime
from typing import TYPE_CHECKING

from agent.energy.instants import format_instant
from agent.energy.sentences import sentence
from agent.home.model.following import Deviation

if TYPE_CHECKING:
    from agent.home.model.device_model import DeviceModel

# What is told in kW where W are meant is near to this share of what was asked. A charger's standby
# seldom is.
KILOWATTS = 0.7 / 1000, 1.1 / 1000


def problems_of(model: "DeviceModel", now: datetime) -> list[str]:
    """In sentences; empty where all is well."""
    out: list[str] = []
    if error := model.readings.value("error", now):
        out.append(sentence("says {error}", error=error))
    out += [
        sentence("{kind} cannot be read: {why}", kind=kind, why=why)
        for kind, why in sorted(model.readings.unreadable.items())
    ]
    out += [
        sentence("what it says on {topic} cannot be read; the log says more", topic=topic)
        for topic in sorted(model.readings.unreadable_topics)
    ]
    out += model.doubts.texts()
    if model.readings.clock.lag:
        behind = round(model.readings.clock.lag.total_seconds() / 60)
        out.append(
            sentence(
                "its clock is {behind} min behind; what it tells counts as it comes", behind=behind
            )
        )
    if model.readings.clock.lead:
        ahead = round(model.readings.clock.lead.total_seconds() / 60)
        out.append(
            sentence(
                "its clock is {ahead} min ahead of the gateway's; what it tells counts as it "
                "comes, but it switches too early",
                ahead=ahead,
            )
        )
    elif model.switching.own.is_odd(now):
        out.append(sentence("switches at other times than it is told: is its clock right?"))
    if (dated := model.readings.clock.dated_long_ago) is not None:
        at = format_instant(dated)
        out.append(sentence("dates what it tells {at}: is its clock set?", at=at))
    if model.plug.flickers(now):
        out.append(sentence("its plug contact flickers; it counts as plugged in"))
    if (stuck := model.soc.stuck_at) is not None:
        out.append(
            sentence(
                "soc_percent stands at {stuck} though it charges: its energy counts",
                stuck=f"{stuck:g}",
            )
        )
    if (overruled := model.soc.overruled_at) is not None:
        out.append(
            sentence(
                "tells soc_percent {told}; what a person stated counts until that moves",
                told=f"{overruled:g}",
            )
        )
    if model.soc.seems_a_share:
        out.append(
            sentence("soc_percent stays at 1 or less while energy flows: is it a share of 1?")
        )
    if model.following.deviation is not None:
        out.append(str(model.following.deviation))
    if (slip := _unit_slip(model, now)) is not None:
        out.append(slip)
    if model.operation.counts_as_told(now):
        out.append(sentence("tells its power no more; it counts as doing what it was told"))
    return out


def _unit_slip(model: "DeviceModel", now: datetime) -> str | None:
    """A power that would be right in another unit. It is asked about, not guessed."""
    asked_w, power = model.meter.drawn.commanded_w(now), model.meter.drawn.told
    if power is None or asked_w <= 0:
        return None
    takes_nothing = model.following.deviation is Deviation.TAKES_NOTHING
    if not takes_nothing and not model.takes_by_counter(now):
        return None
    low, high = KILOWATTS
    if not low * asked_w <= power[0] <= high * asked_w:
        return None
    return sentence(
        "power_w {told} while charging at {asked} W: is it in kW?",
        told=f"{power[0]:g}",
        asked=f"{asked_w:g}",
    )
