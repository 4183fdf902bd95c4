"""The plan by rule, where devices share a house: a limit, PV, a capacity charge, storage, heat.

Devices are planned one after the other: what must run, then demands and programs by priority, then
storage with a target, then heat, then storage that serves itself. Each takes the plan that it would
have alone where that fits below the import limit, else the best of what fits. Proves nothing, never
breaks the limit by choice, always ends with a plan.
"""

from dataclasses import dataclass, field
from fractions import Fraction

from agent.energy.plan import Reason
from agent.energy.situation import Device, Flexible, Program, Situation, Storage, Thermal
from agent.planning.flexible import Solved, solve
from agent.planning.house import KWH, LATEST_S, Draw, House, Span, total_draw
from agent.planning.load import Load, load_of
from agent.planning.program import Profile, plan_program, profile_of, run_from
from agent.planning.rule_heat import heat
from agent.planning.rule_storage import run_storage
from agent.planning.timeline import Timeline


@dataclass(slots=True)
class Taken:
    """What a device does: draws with their reason, and what is said about it.

    `marks`: what else is shown at the end of each draw (temperature or stored energy), `modes` the
    mode of each; both empty where there is none.
    """

    draws: list[tuple[int, int, float, str]] = field(default_factory=list)
    marks: list[float] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)
    demands: list[int | None] = field(default_factory=list)
    why: list[Reason] = field(default_factory=list)
    starts: int = 0
    missing_kwh: float = 0.0
    met: bool = True
    extra_cost: float = 0.0
    value: float = 0.0

    def plain(self) -> list[Draw]:
        return [(a, b, power) for a, b, power, _ in self.draws]


class Ruler:
    """Plans device by device; `taken` holds what is planned already."""

    def __init__(self, situation: Situation, timeline: Timeline) -> None:
        self.situation = situation
        self.timeline = timeline
        now = situation.now
        ends = [timeline.horizon, 0]
        for device in situation.devices:
            if isinstance(device, Flexible):
                ends += [d.deadline - now for d in device.demands if d.deadline is not None]
            elif isinstance(device, Program):
                ends.append(device.deadline - now)
        self.end = max(ends)
        self.house = House(situation, timeline, self.end + LATEST_S)
        self.taken: dict[str, Taken] = {}
        self.loads: dict[str, Load] = {}
        self.profiles: dict[str, Profile] = {}

    def plan(self) -> dict[str, Taken]:
        devices = sorted(self.situation.devices, key=_order)
        for device in devices:
            if isinstance(device, Flexible):
                self.taken[device.id] = self.flexible(device)
            elif isinstance(device, Program):
                self.taken[device.id] = self.program(device)
            elif isinstance(device, Thermal):
                self.taken[device.id] = self.thermal(device)
            else:
                self.taken[device.id] = self.storage(device)
        return self.taken

    def draws(self) -> list[Draw]:
        return [draw for one in self.taken.values() for draw in one.plain()]

    def rooms(self, *more: int) -> list[tuple[Span, float]]:
        """Cells, cut where a device switches and at `more`, with the room that the limit leaves."""
        draws = self.draws()
        edges = sorted({*self.house.edges, *(t for a, b, _ in draws for t in (a, b)), *more} - {-1})
        edges = [t for t in edges if 0 <= t <= self.house.end]
        powers = total_draw(draws, edges)
        out = []
        for a, b, power in zip(edges, edges[1:], powers, strict=False):
            span = self.house.span(a, b)
            out.append((span, self.house.room_w(span, power)))
        return out

    def fits(self, draws: list[Draw]) -> bool:
        if not self.house.limited:
            return True
        edges = [t for a, b, _ in draws for t in (a, b)]
        for span, room in self.rooms(*edges):
            power = sum(p for a, b, p in draws if a < span.end and span.start < b)
            if power > room + 1e-6:
                return False
        return True

    # --- demands

    def flexible(self, device: Flexible) -> Taken:
        load = load_of(self.situation, device, self.timeline)
        self.loads[device.id] = load
        solved = solve(self.timeline, load)
        power = float(device.max_power_w)
        draws = [(a, b, power) for a, b, _ in solved.pieces]
        if self.fits(draws):
            return self._alone(solved, power)
        return self._shifted(device, load)

    def _alone(self, solved: Solved, power: float) -> Taken:
        taken = Taken()
        load = solved.load
        for a, b, index in solved.pieces:
            late = index is not None and load.needs[index].hard and a >= load.needs[index].deadline
            reason = "min_on" if index is None else "late" if late else "cheapest"
            taken.draws.append((a, b, power, reason))
            taken.demands.append(index)
        self._sum_up(taken, load)
        return taken

    def _shifted(self, device: Flexible, load: Load) -> Taken:
        """Demand by demand into the best cells that have room; blocks where a whole block fits."""
        taken = Taken()
        power = float(device.max_power_w)
        least = float(device.min_power_w or 0)
        if load.forced:
            taken.draws.append((0, load.forced, power, "min_on"))
            taken.demands.append(None)
        order = sorted(range(len(load.needs)), key=lambda i: (load.needs[i].deadline, i))
        whole = load.min_on or load.min_off or load.start_cost
        for i in order:
            need = load.needs[i]
            if not need.need:
                continue
            wanted = float(need.energy_kwh)
            own = taken.plain()
            free = [
                (span, min(room, power))
                for span, room in self._free(own, need.earliest, load.wait)
                if need.admits(self.timeline.at(span.start))
            ]
            if not need.hard:
                worth = float(device.demands[i].value_per_kwh or 0)
                free = [(s, r) for s, r in free if s.choice < worth and s.end <= need.deadline]
            if need.contiguous or whole:
                self._block(taken, free, need.deadline, wanted, power, max(least, 1.0), i)
            else:
                self._cells(taken, free, need.deadline, wanted, least, i)
        taken.why.append(
            Reason("limit", "Shifted to where the import limit of the house leaves room.")
        )
        self._sum_up(taken, load)
        return taken

    def _free(self, own: list[Draw], earliest: int, wait: int) -> list[tuple[Span, float]]:
        """Cells with room in which the device itself is not on yet."""
        edges = [t for a, b, _ in own for t in (a, b)]
        begin = max(earliest, wait)
        out = []
        for span, room in self.rooms(begin, *edges):
            busy = any(a < span.end and span.start < b for a, b, _ in own)
            if span.start >= begin and not busy:
                out.append((span, room))
        return out

    def _cells(
        self,
        taken: Taken,
        free: list[tuple[Span, float]],
        deadline: int,
        wanted: float,
        least: float,
        index: int,
    ) -> None:
        in_time = [(s, r) for s, r in free if s.start < deadline]
        after = [(s, r) for s, r in free if s.start >= deadline]
        in_time.sort(key=lambda item: (item[0].unknown, item[0].choice, item[0].start))
        for late, cells in ((False, in_time), (True, after)):
            for span, room in cells:
                if wanted <= 1e-6:
                    return
                end = span.end if late else min(span.end, max(deadline, span.start))
                if room < max(least, 1.0) or end <= span.start:
                    continue
                power = room
                seconds = min(end - span.start, -int(-wanted * KWH // power))
                if seconds * power > wanted * KWH:
                    power = max(least, wanted * KWH / seconds)
                taken.draws.append(
                    (span.start, span.start + seconds, power, "late" if late else "cheapest")
                )
                taken.demands.append(index)
                wanted -= seconds * power / KWH

    def _block(
        self,
        taken: Taken,
        free: list[tuple[Span, float]],
        deadline: int,
        wanted: float,
        power: float,
        least: float,
        index: int,
    ) -> None:
        """One run at one power: the cheapest that fits in time, else the one that ends first."""
        best: tuple[float, float, int, int, float] | None = None
        for first in range(len(free)):
            start = free[first][0].start
            level, cost, at = power, 0.0, start
            for span, room in free[first:]:
                level = min(level, room)
                if span.start != at or level < least:
                    break
                at = span.end
                end = start + max(1, -int(-wanted * KWH // level))
                cost += span.choice * (min(span.end, end) - span.start)
                if end <= at:
                    late = max(0, end - deadline)
                    key = (float(late), cost * level, start, end, level)
                    best = key if best is None or key < best else best
                    break
        if best is None:
            return
        missed, _, start, end, level = best
        taken.draws.append((start, end, level, "late" if missed else "cheapest"))
        taken.demands.append(index)

    def _sum_up(self, taken: Taken, load: Load) -> None:
        order = sorted(range(len(taken.draws)), key=lambda k: taken.draws[k][0])
        taken.draws = [taken.draws[k] for k in order]
        taken.demands = [taken.demands[k] for k in order]
        for i, need in enumerate(load.needs):
            on_time = total = 0.0
            for (a, b, power, _), demand in zip(taken.draws, taken.demands, strict=True):
                if demand == i:
                    on_time += power * max(0, min(b, need.deadline) - a) / KWH
                    total += power * (b - a) / KWH
            if need.hard:
                missing = float(need.energy_kwh) - on_time
                if missing > 1e-6:
                    taken.missing_kwh += missing
                    taken.met = False
            else:
                worth = need.gain * KWH / load.power if load.power else 0
                taken.value += min(total, float(need.energy_kwh)) * worth / load.unit * load.power
        runs = 0
        end = 0 if load.going else -1
        for a, b, _, _ in taken.draws:
            runs += a != end
            end = b
        taken.starts = runs
        taken.extra_cost = runs * float(Fraction(load.start_cost, load.unit))
        if taken.missing_kwh:
            text = f"{taken.missing_kwh:.3f} kWh are missing at the deadline."
            taken.why.append(
                Reason("shortfall", text, {"shortfall_kwh": round(taken.missing_kwh, 6)})
            )

    # --- programs

    def program(self, device: Program) -> Taken:
        profile = profile_of(self.situation, device, self.timeline)
        self.profiles[device.id] = profile
        best = plan_program(self.timeline, profile)
        starts = [best.start]
        if not best.running:
            last = profile.deadline - profile.length
            edges = [t for t in self.house.edges if t >= profile.earliest]
            in_time = [run_from(self.timeline, profile, t) for t in edges if t <= last]
            in_time.sort(key=lambda run: (run.objective, run.start))
            starts += [run.start for run in in_time]
            starts += [t for t in edges if t > last and t + profile.length <= self.house.end]
        for start in starts:
            run = run_from(self.timeline, profile, start)
            draws = [(s.start, s.end, float(s.power_w)) for s in run.segments if s.power]
            if best.running or self.fits(draws):
                reason = "needed_by_deadline" if run.running else "cheapest" if run.met else "late"
                scale = profile.unit // self.timeline.scale
                missing = run.missing / scale
                return Taken(
                    draws=[(*draw, reason) for draw in draws],
                    starts=0 if run.running else 1,
                    missing_kwh=missing,
                    met=run.met,
                )
        whole = sum(power * (b - a) for a, b, power, _ in profile.parts)
        missing = whole / (profile.unit // self.timeline.scale)
        text = "The import limit leaves no room for this program."
        return Taken(missing_kwh=missing, met=False, why=[Reason("limit", text)])

    # --- what moves or stores heat and current

    def thermal(self, device: Thermal) -> Taken:
        edges = [t for t in self.house.edges if t <= self.timeline.horizon]
        rooms = [(s, r) for s, r in self.rooms() if s.end <= max(edges, default=0)]
        done = heat(self.situation, device, rooms)
        reason = [(a, b, power, "comfort") for a, b, power in done.draws]
        text = "Heats as much as the comfort minimum asks for, by rule."
        return Taken(
            draws=reason,
            marks=done.temperatures,
            modes=done.modes,
            demands=[None] * len(reason),
            why=[Reason("comfort", text)],
            starts=done.starts,
            extra_cost=done.starts * float(device.start_cost),
        )

    def storage(self, device: Storage) -> Taken:
        draws = self.draws()
        cells = []
        for span, room in self.rooms():
            if span.end > self.timeline.horizon:
                break
            drawn = sum(p for a, b, p in draws if a < span.end and span.start < b)
            cells.append((span, room, span.base_w + drawn))
        done = run_storage(self.situation, device, cells)
        why = [Reason("store_ahead", text) for text in done.reasons]
        return Taken(
            draws=done.draws,
            marks=done.stored,
            modes=done.modes,
            demands=[None] * len(done.draws),
            why=why or [Reason("surplus", "Takes in surplus and covers the house, by rule.")],
            met=True,
            extra_cost=done.wear,
        )


def _order(device: Device) -> tuple[int, int]:
    """What must run, then demands by priority, then heat, then storage."""
    if isinstance(device, Program):
        return (0 if device.started_at is not None else 1, -device.priority)
    if isinstance(device, Flexible):
        return (0 if device.on_since is not None else 1, -device.priority)
    if isinstance(device, Storage):
        return (2 if device.targets else 4, 0)
    return (3, -device.priority)
