"""A battery, or a car that can give back, by rule: targets in time and cheaply, else self-use."""

from dataclasses import dataclass, field

from agent.energy.situation import Situation, Storage
from agent.planning.house import KWH, Span

# (cell, room under the import limit, what house and devices draw less PV)
Cell = tuple[Span, float, float]


@dataclass(slots=True)
class Stored:
    draws: list[tuple[int, int, float, str]] = field(default_factory=list)
    stored: list[float] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    wear: float = 0.0


def run_storage(situation: Situation, device: Storage, cells: list[Cell]) -> Stored:
    """Self-use, but for what is charged ahead of a target; with a target ahead nothing is given."""
    now = situation.now
    planned = _charging(situation, device, cells)
    last_target = max((target.at - now for target in device.targets), default=0)
    low = float(device.min_kwh)
    high = float(device.max_kwh if device.max_kwh is not None else device.capacity_kwh)
    inward, outward = float(device.charge_efficiency), float(device.discharge_efficiency)
    energy = float(device.energy_kwh)
    arrived: set[int] = set()
    out = Stored()
    for span, room, net in cells:
        at = now + span.start
        energy, here = _present(device, at, energy, arrived)
        hours = (span.end - span.start) / KWH
        power, mode, reason = 0.0, "auto", "surplus"
        if here:
            fill = max(0.0, high - energy) / inward / hours
            give = max(0.0, energy - low) * outward / hours
            surplus = min(max(0.0, -net), float(device.max_charge_w), fill)
            deficit = min(max(0.0, net), float(device.max_discharge_w), give)
            asked = planned.get(span.start, 0.0)
            if asked > surplus:
                power = min(asked, fill, max(room, surplus))
                mode, reason = "charge", "needed_by_deadline"
            elif surplus > 0:
                power = surplus
            elif deficit > 0 and span.start < last_target:
                mode, reason = "hold", "store_ahead"
            elif deficit > 0:
                power = -deficit
        energy += power * hours * inward if power > 0 else power * hours / outward
        if power < 0:
            out.wear += -power * hours * float(device.wear_per_kwh)
        if power or mode == "hold":
            out.draws.append((span.start, span.end, power, reason))
            out.stored.append(energy)
            out.modes.append(mode)
    if planned:
        out.reasons.append("Charges in the cheapest time that is left before its target.")
    return out


def _present(device: Storage, at: int, energy: float, arrived: set[int]) -> tuple[float, bool]:
    """Stored energy and whether the storage is there; coming back may set its energy."""
    if device.available is None:
        return energy, True
    for index, span in enumerate(device.available):
        if span.start <= at < span.end:
            if index not in arrived and span.arrives_kwh is not None and span.start >= at:
                energy = float(span.arrives_kwh)
            arrived.add(index)
            return energy, True
    return energy, False


def _charging(situation: Situation, device: Storage, cells: list[Cell]) -> dict[int, float]:
    """Power by cell that brings each target about, in the cheapest cells before it."""
    now = situation.now
    out: dict[int, float] = {}
    energy = float(device.energy_kwh)
    inward = float(device.charge_efficiency)
    begin = 0
    for target in device.targets:
        due = target.at - now
        usable = []
        for span, room, net in cells:
            _, here = _present(device, now + span.start, 0.0, set())
            if begin <= span.start and span.end <= due and here:
                free = max(0.0, -net)
                most = room if device.grid_charge and net >= 0 else free
                usable.append((span, min(float(device.max_charge_w), max(most, free))))
        for span_index in range(len(device.available or ())):
            span_a = (device.available or ())[span_index]
            if begin < span_a.start - now < due and span_a.arrives_kwh is not None:
                energy = float(span_a.arrives_kwh)
                usable = [item for item in usable if item[0].start >= span_a.start - now]
        missing = float(target.energy_kwh) - energy
        usable.sort(key=lambda item: (item[0].unknown, item[0].choice, -item[0].start))
        for span, power in usable:
            if missing <= 1e-9:
                break
            hours = (span.end - span.start) / KWH
            take = min(power, missing / inward / hours)
            if take > 0:
                out[span.start] = take
                missing -= take * hours * inward
        energy = max(energy, float(target.energy_kwh) - max(0.0, missing))
        begin = max(begin, due)
    return out
