"""What a device is told beside its power: the mode of a slot."""

from agent.planning.devices.program import ScaledProgram
from agent.planning.devices.storage import ScaledStorage
from agent.planning.devices.thermal import ScaledThermal
from agent.planning.judge import Judged
from agent.planning.problem import Model

# Powers that are no further apart are the same, in W.
SAME_W = 2.0
# A store that ends a cell this much above its minimum is lifted.
LIFTED_C = 0.1


def mode_of(judged: Judged, model: Model, piece: int, power: int) -> str:
    if isinstance(model, ScaledStorage):
        return _of_storage(judged, model, piece, power)
    if isinstance(model, ScaledThermal):
        return _of_heat(judged, model, piece)
    return "run" if isinstance(model, ScaledProgram) else "charge"


def _of_heat(judged: Judged, model: ScaledThermal, piece: int) -> str:
    if model.control == "power" or piece >= len(model.cells):
        return "normal"
    cell = model.cells[piece]
    at = judged.devices[model.id].levels[piece + 1]
    return "boost" if cell.min_c is None or at > cell.min_c + LIFTED_C else "normal"


def _of_storage(judged: Judged, model: ScaledStorage, piece: int, power: int) -> str:
    units = judged.problem.units
    same = SAME_W * units.power_scale
    by_itself = self_use(judged, model, piece)
    if abs(by_itself - power) <= same:
        return "auto"
    if power == 0:
        return "hold"
    return "charge" if power > 0 else "discharge"


def self_use(judged: Judged, model: ScaledStorage, piece: int) -> int:
    """The power with which it would take in surplus or cover what is missing in a cell."""
    site, units = judged.site, judged.problem.units
    cell = site.pieces.cells[piece]
    others = sum(
        energy[piece]
        for id, energy in site.energy.items()
        if id != model.id and not _under_way(judged, id)
    )
    net = cell.base - cell.pv + others // cell.length
    level = judged.devices[model.id].levels[piece]
    came = model.arrives[piece]
    level = level if came is None else came
    hours = cell.length / 3600
    if net < 0:
        room = max(0.0, model.max_kwh - level) / hours / model.charge_efficiency
        return min(-net, model.charge, round(room * 1000 * units.power_scale))
    spare = max(0.0, level - model.min_kwh) / hours * model.discharge_efficiency
    return -min(net, model.discharge, round(spare * 1000 * units.power_scale))


def _under_way(judged: Judged, id: str) -> bool:
    model = judged.problem.by_id[id]
    return isinstance(model, ScaledProgram) and model.running
