"""A flexible device and its demands, in whole seconds from now and units of the problem."""

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal

from agent.energy.situation import Flexible, Situation
from agent.planning.incumbent import IncumbentEdges, incumbent_edges
from agent.planning.timeline import PriceSpan, Timeline
from agent.planning.units import Units

MICRO = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class ScaledDemand:
    """One demand: `needed_s` seconds at full power, at most `max_s` of them; `energy` as asked for.

    `value_per_s` is what a served second at full power is worth, `value_of_last_s` what the last
    one is (it may be less, as the need is rounded up), `value` of a unit of energy; all are 0 for
    hard demands. `allowance_s` limits what a capped hard demand may get late (None: it has no cap);
    where it is not `allowance_known`, more of it might be right.
    """

    needed_s: int
    max_s: int
    earliest: int
    deadline: int
    anchor: int
    contiguous: bool
    hard: bool
    cap: int | None
    value: int
    value_per_s: int
    value_of_last_s: int
    allowance_s: int | None
    energy: int
    # Not in unknown time, even where the rules would let it.
    known_only: bool = False
    # Its block has begun: it goes on from now without a gap.
    under_way: bool = False
    allowance_known: bool = True

    def admits(self, span: PriceSpan) -> bool:
        """Whether the price is right for it; the window is another question."""
        if span.unknown:
            return self.hard and self.cap is None and not self.known_only
        return self.cap is None or span.price <= self.cap

    def value_of(self, served_s: int) -> int:
        """What `served_s` seconds at full power are worth."""
        if served_s < self.needed_s:
            return self.value_per_s * served_s
        if not self.needed_s:
            return 0
        return self.value_per_s * (self.needed_s - 1) + self.value_of_last_s


@dataclass(frozen=True, slots=True)
class ScaledDevice:
    """`running`: it is on now; `mandatory_s`: until when it must go on; `blocked_s`: must stay off.

    `on_since` and `off_since` are seconds from now, 0 or below, None where they are not given.
    """

    id: str
    priority: int
    power: int
    min_power: int
    min_on_s: int
    min_off_s: int
    start_cost: int
    grid_s: int
    running: bool
    mandatory_s: int
    blocked_s: int
    incumbent: IncumbentEdges
    demands: tuple[ScaledDemand, ...]
    on_since: int | None = None
    off_since: int | None = None

    @property
    def coupled_in_time(self) -> bool:
        """Whether seconds depend on each other: minimum times, start costs, edges to keep."""
        return bool(
            self.min_on_s
            or self.min_off_s
            or self.start_cost
            or self.incumbent.cost
            or self.blocked_s
            or self.running
        )

    @property
    def wants_nothing(self) -> bool:
        return not any(demand.needed_s for demand in self.demands)

    def without_caps(self) -> "ScaledDevice":
        free = tuple(replace(one, cap=None, allowance_s=None) for one in self.demands)
        return replace(self, demands=free)

    def on_grid(self, at: int, index: int | None) -> bool:
        """Whether demand `index` (None: any) lets the device switch at this instant."""
        if not self.grid_s or not self.demands:
            return True
        anchors = self.demands if index is None else (self.demands[index],)
        return any((at - one.anchor) % self.grid_s == 0 for one in anchors)


def scaled_device(
    situation: Situation, device: Flexible, timeline: Timeline, units: Units
) -> ScaledDevice:
    """Allowances of capped demands are 0 here; who knows what they miss without caps sets them."""
    now = situation.now
    power = units.power(device.max_power_w)
    running = device.on_since is not None
    mandatory = 0
    if device.on_since is not None:
        mandatory = max(0, device.on_since + device.min_on_s - now)
    blocked = 0
    if device.off_since is not None and not running:
        blocked = max(0, device.off_since + device.min_off_s - now)
    step = device.grid_s
    demands = []
    for demand in device.demands:
        energy = units.energy(demand.energy_kwh.quantize(MICRO, rounding=ROUND_HALF_EVEN))
        needed = -(-energy // power)
        most = max(needed, device.min_on_s) if needed else 0
        if step:
            most = -(-most // step) * step
        value = 0 if demand.value_per_kwh is None else units.price(demand.value_per_kwh)
        hard = demand.hard
        demands.append(
            ScaledDemand(
                needed_s=needed,
                max_s=most,
                earliest=max(0, demand.earliest - now) if demand.earliest is not None else 0,
                deadline=demand.deadline - now if demand.deadline is not None else timeline.horizon,
                anchor=demand.earliest - now if demand.earliest is not None else -now,
                contiguous=demand.contiguous,
                hard=hard,
                cap=None if demand.price_cap is None else units.price(demand.price_cap),
                value=value,
                value_per_s=value * power,
                value_of_last_s=value * (energy - power * (needed - 1)) if needed else 0,
                allowance_s=0 if hard and demand.price_cap is not None else None,
                energy=energy,
                under_way=demand.under_way and demand.contiguous and needed > 0,
            )
        )
    if step and running:
        anchor = demands[0].anchor if demands else -now
        mandatory = anchor + -(-(mandatory - anchor) // step) * step
    return ScaledDevice(
        id=device.id,
        priority=device.priority,
        power=power,
        min_power=_least(device, units),
        min_on_s=device.min_on_s,
        min_off_s=device.min_off_s,
        start_cost=units.money(device.start_cost),
        grid_s=step,
        running=running,
        mandatory_s=mandatory,
        blocked_s=blocked,
        incumbent=incumbent_edges(
            situation,
            device.id,
            float(device.max_power_w),
            units.money(situation.planner.change_cost),
            timeline.horizon,
        ),
        demands=tuple(demands),
        on_since=None if device.on_since is None else device.on_since - now,
        off_since=None if device.off_since is None else device.off_since - now,
    )


def _least(device: Flexible, units: Units) -> int:
    if device.min_power_w is not None:
        return units.power(device.min_power_w)
    switched = device.min_on_s or device.min_off_s or device.start_cost
    return units.power(device.max_power_w) if switched else 0
