"""What a flexible device lacks at its deadlines, and why it cannot have it."""

from collections.abc import Iterator

from agent.energy.plan import Reason
from agent.planning.devices.flexible import ScaledDemand, ScaledDevice
from agent.planning.reasons.house import House
from agent.planning.reasons.shared import LeftOut, least_unserved
from agent.planning.reasons.words import Numbers, number


def missed(house: House, device: ScaledDevice) -> Iterator[Reason]:
    measured, words = house.judged.devices[device.id], house.words
    if not measured.met:
        short = house.kwh(measured.shortfall)
        lacking = [i for i, miss in enumerate(measured.missing) if miss]
        demand = device.demands[lacking[0]]
        cause = _cause(house, device, demand)
        when = f"at {words.clock(demand.deadline)}" if len(lacking) == 1 else "at its deadlines"
        numbers: Numbers = {
            "shortfall_kwh": number(short, 3),
            "deadline": words.instant(demand.deadline),
        }
        lack = words.kwh(short)
        if len(lacking) == 1:
            lack = f"{lack} of {words.kwh(house.kwh(demand.energy))}"
        text = f"{lack} are missing {when}{cause}."
        yield Reason("shortfall", text, numbers)
    late = sum(
        one.power * max(0, one.end - max(one.start, device.demands[one.demand].deadline))
        for one in measured.segments
        if one.demand is not None and device.demands[one.demand].hard
    )
    if late and not measured.met:
        amount = house.kwh(late)
        done = words.clock(measured.segments[-1].end)
        text = f"{words.kwh(amount)} come after the deadline, as early as possible, by {done}."
        yield Reason("late", text, {"late_kwh": number(amount, 3)})
    yield from _caps(house, device)


def _cause(house: House, device: ScaledDevice, demand: ScaledDemand) -> str:
    """The first thing that alone would make it miss; empty where it is none of these."""
    words = house.words
    left = demand.deadline - max(0, demand.earliest)
    if left <= 0:
        return ": that is past"
    most = house.kwh(device.power * left)
    if demand.energy > device.power * left:
        return f": at full power there is time for {words.kwh(most)}"
    if demand.cap is not None:
        return ""
    room, limited = 0, False
    for k in house.between(demand.earliest, demand.deadline):
        cell = house.cells[k]
        length = min(cell.end, demand.deadline) - max(cell.start, demand.earliest)
        head = cell.headroom
        limited = limited or head is not None
        power = device.power if head is None else min(device.power, max(0, head))
        room += 0 if power < device.min_power else power * length
    if room < demand.energy:
        return f": the import limit leaves room for {words.kwh(house.kwh(room))}"
    if device.blocked_s and demand.energy > device.power * (demand.deadline - device.blocked_s):
        return ": it has to stay off first"
    if limited and len(house.problem.models) > 1:
        return ": other devices need the room under the limit too"
    return ""


def _caps(house: House, device: ScaledDevice) -> Iterator[Reason]:
    timeline, words = house.problem.timeline, house.words
    served = house.judged.devices[device.id].served
    left_out = LeftOut(words)
    for demand, got in zip(device.demands, served, strict=True):
        lacking = house.kwh(demand.energy - got)
        if not demand.hard or demand.cap is None or lacking <= least_unserved(house, device):
            continue
        spans = timeline.between(demand.earliest, max(demand.earliest, demand.deadline))
        if any(not span.unknown and span.price > demand.cap for _, _, span in spans):
            cap = demand.cap / house.units.price_scale
            text = f"are not served: the price is above the cap of {words.price(cap)}"
            left_out.add(lacking, "above_cap", text, {"price_cap": number(cap, 5)})
    yield from left_out.reasons()
