"""Devices without on/off columns in a solution: made whole by rounding, or by columns after all."""

from collections.abc import Sequence

from agent.planning.joint.flexible import DUST_KW, FlexibleDevice
from agent.planning.joint.splits import SplitDemand


def rounded_powers(
    device: FlexibleDevice, values: Sequence[float], round_up: float
) -> dict[int, tuple[float, float]]:
    """Sum-up rounding: power below the least adds up until it is worth a cell of it, and is
    rounded up from the share `round_up` on. Minimum times are not looked at."""
    out: dict[int, tuple[float, float]] = {}
    if device.least <= 0:
        return out
    for split in device.splits:
        low: dict[int, float] = {}
        for k, column in split.power.items():
            power = values[column]
            if power >= device.least - DUST_KW:
                out[column] = (device.least, split.top[k])
            elif power > DUST_KW:
                low[k] = power / device.least
            else:
                out[column] = (0.0, 0.0)
        if not low:
            continue
        modulates = device.least < device.most and len(low) < len(split.power)
        modulates = modulates and any(values[c] > device.least for c in split.power.values())
        # Whole cells take up what rounding shifts; else one cell stays a part.
        free = None if modulates else max(low, key=lambda k: low[k])
        owed = 0.0
        for k, share in sorted(low.items()):
            if k == free:
                continue
            owed += share
            on = owed >= round_up and split.top[k] >= device.least
            owed -= 1.0 if on else 0.0
            out[split.power[k]] = (device.least, split.top[k]) if on else (0.0, 0.0)
        for k in split.power:
            for part in split.parts(k):
                out[part.on] = out[part.share] = (0.0, 0.0)
        if free is not None and free in split.first:
            if free not in device.opened:
                device.open(free)
            part = split.first[free]
            out[split.power[free]] = out[device.on[free]] = (0.0, 0.0)
            out[part.on], out[part.share] = (1.0, 1.0), (0.0, 1.0)
    if device.switched:
        _switch(device, out)
    return out


def _switch(device: FlexibleDevice, out: dict[int, tuple[float, float]]) -> None:
    """On where a demand has power by these bounds, and where it goes on for nobody."""
    for k, on in device.on.items():
        bounds = [out[split.power[k]] for split in device.splits if split.power.get(k) in out]
        is_on = float(k in device.nobody or any(low > 0 for low, _ in bounds))
        out[on] = (is_on, is_on)


def tighten(device: FlexibleDevice, values: Sequence[float]) -> bool:
    """On/off where a solution runs below the least power more often than it may."""
    if device.switched or device.least <= 0:
        return False
    added = False
    for split in device.splits:
        low = [
            k
            for k, column in split.power.items()
            if k not in device.opened and DUST_KW < values[column] < device.least - DUST_KW
        ]
        used = [k for k, part in split.first.items() if values[part.on] > 0.5]
        crowded = [k for k in low if not _has_room(device, k, values, split)]
        if len(low) + len(used) > 1:
            crowded = low
        if crowded and device.opened:
            # Where a few cells were not enough, all are.
            crowded = [k for k in split.power if k not in device.opened]
        for k in crowded:
            device.open(k)
            added = True
    return added


def _has_room(device: FlexibleDevice, k: int, values: Sequence[float], split: SplitDemand) -> bool:
    """Whether the least power fits under cap and limit in cell k."""
    house, cell = device.house, device.house.cells[k]
    if split.top[k] < device.least:
        return False
    if cell.headroom is None:
        return True
    drawn = sum(v * values[c] for c, v in (*house.balance[k], *house.beyond[k]))
    return drawn - values[split.power[k]] + device.least <= house.kw(cell.headroom) + DUST_KW
