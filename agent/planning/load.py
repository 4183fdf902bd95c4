"""A flexible device and its demands in whole seconds from now and whole units of money."""

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from agent.energy.situation import Flexible, PreviousPlan, Situation
from agent.planning.timeline import Cell, Timeline, places, scaled

# Two edges of one kind that lie no further apart than this are the same edge.
SAME_EDGE_S = 120
MICRO = Decimal("0.000001")
KWH = 3_600_000


@dataclass(frozen=True, slots=True)
class Need:
    """One demand: `need` seconds at full power, at most `top` of them.

    `gain` is what a served second is worth, `gain_of_last` what the last one is (it may be less,
    as the need is rounded up); both are 0 for hard demands. `allowance` limits what a capped hard
    demand may get late (None: it has no cap).
    """

    need: int
    top: int
    earliest: int
    deadline: int
    anchor: int
    contiguous: bool
    hard: bool
    cap: int | None
    gain: int
    gain_of_last: int
    allowance: int | None
    energy_kwh: Fraction
    # Not in unknown time, even where the rules would let it.
    known: bool = False
    # Its block has begun: it goes on from now without a gap.
    under_way: bool = False

    def admits(self, cell: Cell) -> bool:
        """Whether the price of the cell is right for it; the window is another question."""
        if cell.unknown:
            return self.hard and self.cap is None and not self.known
        return self.cap is None or cell.price <= self.cap

    def value(self, served: int) -> int:
        """What `served` seconds are worth."""
        if served < self.need:
            return self.gain * served
        return self.gain * (self.need - 1) + self.gain_of_last if self.need else 0


@dataclass(frozen=True, slots=True)
class OldEdges:
    """Edges of the plan that is changed, by kind (True: on), and what a change costs."""

    cost: int = 0
    until: int = 0
    edges: dict[bool, list[int]] = field(default_factory=lambda: {True: [], False: []})

    def paid(self, kind: bool) -> list[int]:
        """Those that cost something where the new plan lacks them."""
        edges = self.edges[kind]
        return edges[bisect_left(edges, 0) : bisect_left(edges, self.until)]

    def is_new(self, at: int, kind: bool) -> bool:
        """Whether an edge at `at` costs something."""
        return 0 <= at < self.until and not near(at, self.edges[kind])

    def change(self, on: list[int], off: list[int]) -> int:
        """What the edges of a plan cost against the old ones."""
        if not self.cost:
            return 0
        changes = 0
        for kind, edges in ((True, on), (False, off)):
            changes += sum(self.is_new(at, kind) for at in edges)
            changes += sum(not near(at, edges) for at in self.paid(kind))
        return self.cost * changes


def near(at: int, edges: list[int]) -> bool:
    """Whether one of the sorted edges is the same edge as one at `at`."""
    index = bisect_left(edges, at - SAME_EDGE_S)
    return index < len(edges) and edges[index] <= at + SAME_EDGE_S


@dataclass(frozen=True, slots=True)
class Load:
    """`power` is in units of `1 / power_scale` W, money in units of `1 / unit` of the currency.

    `going`: it is on now; `forced`: until when it must go on; `wait`: until when it must stay off.
    """

    id: str
    power_w: Decimal
    power: int
    unit: int
    min_on: int
    min_off: int
    start_cost: int
    grid: int
    going: bool
    forced: int
    wait: int
    old: OldEdges
    needs: tuple[Need, ...]

    @property
    def coupled(self) -> bool:
        """Whether seconds depend on each other: minimum times, starts that cost, old edges."""
        return bool(
            self.min_on or self.min_off or self.start_cost or self.old.cost or self.wait
        ) or bool(self.going)

    def energy_kwh(self, seconds: int) -> Fraction:
        return Fraction(seconds) * Fraction(self.power_w) / KWH

    def uncapped(self) -> "Load":
        """The same without any price cap."""
        free = tuple(replace(need, cap=None, allowance=None) for need in self.needs)
        return replace(self, needs=free)

    def on_grid(self, at: int, index: int | None) -> bool:
        """Whether demand `index` (None: any) lets the device switch at this instant."""
        if not self.grid or not self.needs:
            return True
        anchors = self.needs if index is None else (self.needs[index],)
        return any((at - need.anchor) % self.grid == 0 for need in anchors)


def old_edges(situation: Situation, id: str, top_w: Decimal, cost: int, horizon: int) -> OldEdges:
    """The edges of the previous plan of one device; slots that touch are one run."""
    plan = next((one for one in situation.planner.previous if one.id == id), None)
    if plan is None or not cost:
        return OldEdges()
    runs = _runs(plan, situation.now, top_w)
    until = situation.planner.change_until
    return OldEdges(
        cost,
        horizon if until is None else until - situation.now,
        {True: [a for a, _ in runs], False: [b for _, b in runs]},
    )


def _runs(plan: PreviousPlan, now: int, top_w: Decimal) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for slot in plan.slots:
        if slot.power_w <= 0 or slot.power_w < top_w / 20:
            continue
        start, end = slot.start - now, slot.end - now
        if runs and runs[-1][1] >= start:
            runs[-1] = (runs[-1][0], max(end, runs[-1][1]))
        else:
            runs.append((start, end))
    return runs


def money_unit(timeline: Timeline, powers: list[Decimal]) -> tuple[int, int]:
    """Scale of power and unit of money in which one second at any of these powers is whole."""
    power_scale = 10 ** max(1, places(powers))
    return power_scale, timeline.scale * power_scale * KWH


def load_of(situation: Situation, device: Flexible, timeline: Timeline) -> Load:
    """The device in the timeline's seconds and units. Allowances of capped demands are 0 here."""
    now = situation.now
    power_scale, unit = money_unit(timeline, [device.max_power_w])
    power = scaled(device.max_power_w, power_scale)
    going = device.on_since is not None
    forced = max(0, device.on_since + device.min_on_s - now) if device.on_since is not None else 0
    wait = 0
    if device.off_since is not None and not going:
        wait = max(0, device.off_since + device.min_off_s - now)
    grid = device.grid_s
    needs = []
    for demand in device.demands:
        energy = demand.energy_kwh.quantize(MICRO, rounding=ROUND_HALF_EVEN)
        need = -(-scaled(energy, power_scale * KWH) // power)
        top = max(need, device.min_on_s) if need else 0
        if grid:
            top = -(-top // grid) * grid
        value = demand.value_per_kwh
        gain = last = 0
        if value is not None and need:
            gain = scaled(value, timeline.scale) * power
            whole = scaled(value, timeline.scale) * scaled(energy, power_scale * KWH)
            last = whole - gain * (need - 1)
        hard = demand.hard
        needs.append(
            Need(
                need=need,
                top=top,
                earliest=max(0, demand.earliest - now) if demand.earliest is not None else 0,
                deadline=demand.deadline - now if demand.deadline is not None else timeline.horizon,
                anchor=demand.earliest - now if demand.earliest is not None else -now,
                contiguous=demand.contiguous,
                hard=hard,
                cap=None if demand.price_cap is None else scaled(demand.price_cap, timeline.scale),
                gain=gain,
                gain_of_last=last,
                allowance=0 if hard and demand.price_cap is not None else None,
                energy_kwh=Fraction(energy),
                under_way=demand.under_way and demand.contiguous and need > 0,
            )
        )
    if grid and going:
        anchor = needs[0].anchor if needs else -now
        forced = anchor + -(-(forced - anchor) // grid) * grid
    return Load(
        id=device.id,
        power_w=device.max_power_w,
        power=power,
        unit=unit,
        min_on=device.min_on_s,
        min_off=device.min_off_s,
        start_cost=scaled(device.start_cost, unit),
        grid=grid,
        going=going,
        forced=forced,
        wait=wait,
        old=old_edges(
            situation,
            device.id,
            device.max_power_w,
            scaled(situation.planner.change_cost, unit),
            timeline.horizon,
        ),
        needs=tuple(needs),
    )
