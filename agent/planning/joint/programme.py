"""The whole house as one programme, from the problem and back to what each device does."""

from collections.abc import Container, Sequence

from agent.planning.aims import Aims
from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.measured import Pieces
from agent.planning.devices.program import ScaledProgram
from agent.planning.devices.storage import ScaledStorage, idle_value
from agent.planning.devices.thermal import ScaledThermal
from agent.planning.idle import idle_costs
from agent.planning.joint.flexible import FlexibleDevice
from agent.planning.joint.heat import ThermalDevice
from agent.planning.joint.house import House
from agent.planning.joint.programs import ProgramDevice
from agent.planning.joint.recursion import Kernel
from agent.planning.joint.relaxing import rounded_powers, tighten
from agent.planning.joint.runs import RunLattice, has_runs
from agent.planning.joint.site import SiteBalance
from agent.planning.joint.store import StorageDevice
from agent.planning.problem import Problem

# From these sums of shares on a cell is rounded up, the first as it is, others as they may be.
ROUND_UP = (0.5, 0.8, 0.2, 0.65, 0.35)


# Where they stand among the aims.
EXCESS_AIM, COMFORT_AIM = -7, -2


class Programme:
    """`end`: how far it reaches; `unreachable`: devices whose hygiene is out of reach.

    Its value plus `house.constant` is the judge's objective in the currency.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        strict: bool,
        end: int | None = None,
        unreachable: frozenset[str] = frozenset(),
    ) -> None:
        self.problem = problem
        pieces = problem.pieces(problem.grid.end if end is None else end)
        house = self.house = House(problem, pieces.cells, strict=strict)
        self.flexible: dict[str, FlexibleDevice] = {}
        self.programs: dict[str, ProgramDevice] = {}
        self.thermal: dict[str, ThermalDevice] = {}
        self.storage: dict[str, StorageDevice] = {}
        for model in problem.models:
            if isinstance(model, ScaledDevice):
                self.flexible[model.id] = FlexibleDevice(house, model)
            elif isinstance(model, ScaledProgram):
                self.programs[model.id] = ProgramDevice(house, model)
            elif isinstance(model, ScaledThermal):
                reachable = model.id not in unreachable
                self.thermal[model.id] = ThermalDevice(house, model, reachable=reachable)
            elif isinstance(model, ScaledStorage):
                self.storage[model.id] = StorageDevice(house, model)
        # Columns that the last call of `tighten` made whole.
        self.fresh: set[int] = set()
        self.site = SiteBalance(house, list(self.storage.values()))
        self._runs: list[RunLattice] | None = None
        house.constant -= self._idle(pieces)

    def _idle(self, pieces: Pieces) -> float:
        """What the idle house costs, margins and stored value in it."""
        problem, units = self.problem, self.problem.units
        stores = [model for model in problem.models if isinstance(model, ScaledStorage)]
        value = sum(idle_value(store, units) for store in stores)
        return self.house.currency(sum(idle_costs(problem, pieces)) - value)

    def run_lattices(self, kernel: Kernel) -> list[RunLattice]:
        """Of the flexible devices whose runs are looked for."""
        if self._runs is None:
            house = self.house
            devices = [one for one in self.flexible.values() if has_runs(house, one)]
            self._runs = [RunLattice(house, one, self.site.flows, kernel) for one in devices]
        return self._runs

    def least_aims(self, aims: Aims) -> Aims:
        """What a strict programme misses: nothing but comfort that cannot be had, and what devices
        take above the need as they must."""
        comfort = sum(heat.uncomfortable for heat in self.thermal.values())
        excess = sum(device.unavoidable for device in self.flexible.values())
        least: list[int | float] = [0] * len(aims)
        least[EXCESS_AIM], least[COMFORT_AIM] = excess, comfort
        return tuple(least)

    @property
    def relaxes(self) -> bool:
        """Whether rules are still relaxed that a solution could break."""
        return bool(self.house.directions) or any(d.relaxes for d in self.flexible.values())

    def tighten_directions(self, values: Sequence[float]) -> bool:
        return self.house.make_whole(self.site.broken(values))

    def tighten(self, values: Sequence[float]) -> bool:
        """Whether these values break a rule that was relaxed; it no longer is."""
        before = set(self.house.milp.whole)
        broken = self.tighten_directions(values)
        for device in self.flexible.values():
            broken = tighten(device, values) or broken
        self.fresh = self.house.milp.whole - before
        return broken

    def roundings(
        self, values: Sequence[float], known: Container[int] = ()
    ) -> list[dict[int, tuple[float, float]]]:
        """Bounds that keep devices off or between their powers, in several ways; not those whose
        on/off is `known`, as columns."""
        found: list[dict[int, tuple[float, float]]] = []
        for round_up in ROUND_UP:
            one: dict[int, tuple[float, float]] = {}
            for device in self.flexible.values():
                if not (device.switched and any(on in known for on in device.on.values())):
                    one |= rounded_powers(device, values, round_up)
            if one not in found:
                found.append(one)
        return found
