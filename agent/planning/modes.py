"""What a device is told beside its power: the mode of a slot."""

from bisect import bisect_left
from datetime import date
from zoneinfo import ZoneInfo

from agent.energy.instants import from_unix
from agent.planning.devices.measured import Pieces
from agent.planning.devices.program import ScaledProgram
from agent.planning.devices.storage import ScaledStorage
from agent.planning.devices.thermal import ScaledThermal
from agent.planning.judge import Judged
from agent.planning.problem import Model, Problem

# Powers that are no further apart are the same, in W.
SAME_W = 2.0
# A store that ends a cell this much above its minimum is lifted.
LIFTED_C = 0.1
SHORTEST_BLOCK_S = 1800
# A thermostat that keeps the minimum heats from so far above it on, and a block that stands stays
# up to so much more: what is measured next moves what is expected by tenths.
THERMOSTAT_C, STANDS_C = 0.5, 0.5


def mode_of(judged: Judged, model: Model, piece: int, power: int) -> str:
    if isinstance(model, ScaledStorage):
        return _of_storage(judged, model, piece, power)
    if isinstance(model, ScaledThermal):
        return "block" if power == 0 else _of_heat(judged, model, piece)
    return "run" if isinstance(model, ScaledProgram) else "charge"


def _of_heat(judged: Judged, model: ScaledThermal, piece: int) -> str:
    if model.control == "power" or piece >= len(model.cells):
        return "normal"
    cell = model.cells[piece]
    at = judged.devices[model.id].levels[piece + 1]
    return "boost" if cell.min_c is None or at > cell.min_c + LIFTED_C else "normal"


def blocked_pieces(judged: Judged, model: ScaledThermal) -> set[int]:
    """Where an appliance on its own would heat and the plan, at these prices, does not.

    Of each stretch without heat near its minimum the dearest part, at most `block_max_s` of it and
    of a local day, and first what the plan in force blocks; what that leaves blocks the rest of the
    stretches, so that a tenth of a degree moves no block.
    """
    if model.control == "power" or not model.block_max_s:
        return set()
    pieces = judged.site.pieces
    measured = judged.devices[model.id]
    heats = {
        start
        for one in measured.segments
        for start in pieces.starts[
            bisect_left(pieces.starts, one.start) : bisect_left(pieces.starts, one.end)
        ]
    }
    off = [pieces.starts[k] not in heats for k in range(len(model.cells))]
    stand = _standing(judged.problem, model, pieces)
    needed = [
        k
        for k, cell in enumerate(model.cells)
        if off[k]
        and cell.min_c is not None
        and 0 <= measured.levels[k + 1] - cell.min_c < THERMOSTAT_C + STANDS_C * (k in stand)
    ]
    blocks = _Blocks(judged.problem, pieces, model.block_max_s)
    for k in sorted(needed, key=lambda k: (-pieces.cells[k].price, k not in stand)):
        blocks.take(k)
    for k in sorted(blocks.taken):
        for step in (-1, 1):
            beside = k + step
            while 0 <= beside < len(off) and off[beside]:
                if beside not in blocks.taken and not blocks.take(beside):
                    break
                beside += step
    # A compressor that is let go again at once has only been annoyed; what is off counts from when
    # it went off, or a block would be over as soon as it has begun.
    off_s = 0 if model.running or model.off_since is None else -model.off_since
    taken = blocks.taken
    return {k for k in taken if blocks.row_s(k) + off_s * _begins_now(taken, k) >= SHORTEST_BLOCK_S}


def _standing(problem: Problem, model: ScaledThermal, pieces: Pieces) -> set[int]:
    """Pieces that the plan in force blocks."""
    now = problem.situation.now
    told = [plan.slots for plan in problem.situation.planner.previous if plan.id == model.id]
    blocks = [
        (one.start - now, one.end - now) for slots in told for one in slots if not one.power_w
    ]
    return {
        k
        for k in range(len(model.cells))
        if any(start <= pieces.starts[k] and pieces.ends[k] <= end for start, end in blocks)
    }


class _Blocks:
    """Pieces that are `taken`, within what a row of them and a local day may have."""

    def __init__(self, problem: Problem, pieces: Pieces, most_s: int) -> None:
        self.now, self.zone = problem.situation.now, ZoneInfo(problem.situation.timezone)
        self.pieces, self.most_s = pieces, most_s
        self.taken: set[int] = set()
        self._days: dict[date, int] = {}

    def take(self, k: int) -> bool:
        """False where that would be too much, of which it takes nothing."""
        length = self.pieces.cells[k].length
        day = from_unix(self.now + self.pieces.starts[k]).astimezone(self.zone).date()
        self.taken.add(k)
        if self._days.get(day, 0) + length > self.most_s or self.row_s(k) > self.most_s:
            self.taken.remove(k)
            return False
        self._days[day] = self._days.get(day, 0) + length
        return True

    def row_s(self, k: int) -> int:
        """How long the row of taken pieces around one is."""
        first = last = k
        while first - 1 in self.taken:
            first -= 1
        while last + 1 in self.taken:
            last += 1
        return self.pieces.ends[last] - self.pieces.starts[first]


def _begins_now(taken: set[int], k: int) -> bool:
    return all(before in taken for before in range(k))


def _of_storage(judged: Judged, model: ScaledStorage, piece: int, power: int) -> str:
    units = judged.problem.units
    same = SAME_W * units.power_scale
    if abs(self_use(judged, model, piece) - power) <= same:
        # Of the minimum that the plan keeps its own logic knows nothing.
        emptied = abs(power) <= same < _missing(judged, model, piece)
        return "hold" if emptied else "auto"
    if power == 0:
        return "hold"
    return "charge" if power > 0 else "discharge"


def self_use(judged: Judged, model: ScaledStorage, piece: int) -> int:
    """The power with which it would take in surplus or cover what is missing in a cell."""
    units = judged.problem.units
    cell = judged.site.pieces.cells[piece]
    net = _missing(judged, model, piece)
    if not net:
        return 0
    level = model.arrives.get(piece, judged.devices[model.id].levels[piece])
    hours = cell.length / 3600
    if net < 0:
        room = max(0.0, model.max_kwh - level) / hours / model.charge_efficiency
        return min(-net, model.charge, round(room * 1000 * units.power_scale))
    spare = max(0.0, level - model.min_kwh) / hours * model.discharge_efficiency
    return -min(net, model.discharge, round(spare * 1000 * units.power_scale))


def _missing(judged: Judged, model: ScaledStorage, piece: int) -> int:
    """What house and other devices draw beyond the roof; below 0: surplus."""
    site = judged.site
    cell = site.pieces.cells[piece]
    others = site.drawn[piece] - site.energy[model.id].get(piece, 0)
    return cell.base - cell.pv + others // cell.length
