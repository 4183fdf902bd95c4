"""The inverter of a roof: it is read, and where it can be, told the most it may give. Pure.

Left to itself (`auto`) it gives what the sun does. A `limit` comes from the plan of the house:
where giving away costs money, and where the grid allows less than the roof can give. What is
allowed for the feed-in alone holds outside of slots and without the agent; a slot allows more where
the plan uses it in the house.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import ClassVar, Literal

from agent.config.base import PositiveWatts
from agent.config.devices import DeviceSection, Seconds
from agent.config.document import Config
from agent.energy.plan import Plan, SiteSpan
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import DefaultCommand, DeviceType, OfflineRule, ScheduleSlot
from agent.energy.situation import ZERO, PowerSpan, RateSpan, Situation
from agent.home.kinds.kind import SIX_DIGITS, DeviceKind
from agent.home.kinds.meter import MeterRole
from agent.home.model.device_model import DeviceModel
from agent.home.model.traits import Traits
from agent.home.planning_input import PlanningContext, PlanningInput
from agent.home.wishes import Wish

# Finer than that no inverter keeps a limit, and finer steps are only revisions.
POWER_STEP_W = 100
# What a house draws swings at least so much above its least.
LEAST_SWING_W = Decimal(250)
LIMIT, AUTO = "limit", "auto"


class PvInverter(DeviceSection):
    """An inverter: its `power_w` is what it gives, so it is a PV meter too.

    `curtailable`: it takes a limit. Several share what the roof may give by their `max_power_w`.
    """

    role: ClassVar[MeterRole] = MeterRole.PV

    type: Literal["pv_inverter"]
    max_power_w: PositiveWatts
    curtailable: bool = False
    offline_after_s: Seconds = 900

    @property
    def controlled(self) -> bool:
        return self.curtailable


class PvInverterKind(DeviceKind[PvInverter]):
    type = "pv_inverter"
    section = PvInverter

    def profile(self, section: PvInverter) -> DeviceProfile:
        return DeviceProfile(
            id=section.id,
            type=DeviceType.PV_INVERTER,
            on_mode=LIMIT,
            pause_mode=AUTO,
            max_power_w=section.max_power_w,
            min_power_w=0,
            default=DefaultCommand(AUTO, 0),
            offline=OfflineRule(section.offline_after_s, AUTO, 0),
            priority=section.priority,
        )

    def at_site(self, profile: DeviceProfile, config: Config) -> DeviceProfile:
        """Where the grid allows less than the roof can give, that is what it is left with."""
        rated = [device.max_power_w for device in config.devices if isinstance(device, PvInverter)]
        profile = replace(profile, roof_share=Decimal(profile.max_power_w) / sum(rated))
        limit_w = config.site.export_limit_w
        if limit_w is None or limit_w >= sum(rated):
            return profile
        own_w = int(limit_w * profile.roof_share)
        return replace(
            profile,
            default=DefaultCommand(LIMIT, own_w),
            offline=OfflineRule(profile.offline.after_s, LIMIT, own_w),
        )

    def traits(self, section: PvInverter) -> Traits:
        return Traits(float(section.max_power_w), produces=True)

    def wish_keys(self, section: PvInverter) -> frozenset[str]:
        return frozenset()

    def describe(self, section: PvInverter) -> str:
        return f"inverter up to {section.max_power_w} W, its output can be limited"

    def planning_input(
        self, section: PvInverter, model: DeviceModel, wish: Wish, context: PlanningContext
    ) -> PlanningInput:
        return PlanningInput(None)

    def site_slots(
        self, profile: DeviceProfile, plan: Plan, situation: Situation
    ) -> Sequence[ScheduleSlot]:
        """The limits that the site's part of the plan asks for; the rest of the day is its own."""
        out = []
        for cell in _cells(plan, situation):
            found = cell.limit(
                situation.site.export_limit_w, by_default=profile.default.mode == LIMIT
            )
            if found is None:
                continue
            most_w, reason = found
            power_w = _calm(most_w * profile.roof_share)
            if power_w >= profile.max_power_w and profile.default.mode == AUTO:
                continue
            power_w = min(power_w, profile.max_power_w)
            given_w = min(Decimal(power_w), cell.sun_w * profile.roof_share)
            energy = (given_w * (cell.end - cell.start) / 3_600_000).quantize(SIX_DIGITS)
            out.append(
                ScheduleSlot(
                    cell.start, cell.end, LIMIT, power_w, energy, cell.export_price, reason
                )
            )
        return out


@dataclass(frozen=True, slots=True)
class _Cell:
    """A piece of the plan's site in which nothing changes; powers in W, prices per kWh."""

    start: int
    end: int
    flow: SiteSpan
    sun_w: Decimal
    base_load_w: Decimal
    import_price: Decimal | None
    export_price: Decimal | None

    def limit(
        self, export_limit_w: Decimal | None, *, by_default: bool
    ) -> tuple[Decimal, str] | None:
        """What the roof may give and why; None: whatever holds outside of slots.

        `by_default`: outside of slots it may give no more than the grid takes.
        """
        if self.sun_w <= 0:
            return None
        # What the grid takes is no estimate: only what the house draws at least comes on top.
        most_w = None if export_limit_w is None else self._least_w + export_limit_w
        if self.export_price is not None and self.export_price < 0 and not self.flow.export_w:
            # Also where nothing is to be curtailed: the sun may shine more than is expected.
            worth_w = self._worth_w(-self.export_price)
            if most_w is None or worth_w < most_w:
                return worth_w, "export_price"
            return most_w, "export_limit"
        if export_limit_w is None or most_w is None:
            return None
        binds = self.flow.curtailed_w > 0 or (by_default and self.sun_w > export_limit_w)
        return (most_w, "export_limit") if binds else None

    @property
    def _least_w(self) -> Decimal:
        """What the house and its devices draw then, at the least."""
        flow = self.flow
        used_w = self.sun_w - flow.curtailed_w + flow.import_w - flow.export_w
        return used_w - min(self.base_load_w, self._swing_w)

    def _worth_w(self, paid: Decimal) -> Decimal:
        """The most that is worth giving where export costs that much per kWh.

        What the house draws swings. Of a limit too low its price is lost, of one too high that of
        export: it stands where the chance that the house draws more is the share of the second in
        both (the newsvendor's rule), what it draws above its least being exponential.
        """
        if self.flow.import_w and self.flow.curtailed_w:
            # To draw from the grid is better still.
            return self.sun_w - self.flow.curtailed_w
        lost = max(ZERO, self.import_price or ZERO)
        return self._least_w + self._swing_w * ((paid + lost) / paid).ln()

    @property
    def _swing_w(self) -> Decimal:
        return max(LEAST_SWING_W, self.base_load_w / 2)


def _cells(plan: Plan, situation: Situation) -> Iterator[_Cell]:
    site = situation.site
    edges = {
        edge
        for spans in (site.pv, site.base_load, situation.import_rates, situation.export_rates)
        for span in spans
        for edge in (span.start, span.end)
    }
    for flow in plan.site:
        inside = sorted(edge for edge in edges if flow.start < edge < flow.end)
        for start, end in pairwise([flow.start, *inside, flow.end]):
            yield _Cell(
                start,
                end,
                flow,
                _power_at(site.pv, start),
                _power_at(site.base_load, start),
                _price_at(situation.import_rates, start),
                _price_at(situation.export_rates, start),
            )


def _power_at(spans: Sequence[PowerSpan], when: int) -> Decimal:
    return next((span.power_w for span in spans if span.start <= when < span.end), ZERO)


def _price_at(rates: Sequence[RateSpan], when: int) -> Decimal | None:
    return next((rate.price for rate in rates if rate.start <= when < rate.end), None)


def _calm(power_w: Decimal) -> int:
    return int(power_w / POWER_STEP_W) * POWER_STEP_W
