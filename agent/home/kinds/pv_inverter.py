"""The inverter of a roof: it is read, and where it can be, told the most it may give. Pure.

Left to itself (`auto`) it gives what the sun does. A `limit` comes from the plan of the house:
where giving away costs money, and where the grid allows less than the roof can give. What is
allowed for the feed-in alone holds outside of slots and without the agent; a slot allows more where
the plan uses it in the house.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import ClassVar, Literal

from pydantic import Field

from agent.config.base import Watts
from agent.config.devices import DeviceSection, Seconds
from agent.config.document import Config
from agent.energy.plan import Plan, SiteSpan
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import DefaultCommand, DeviceType, OfflineRule, ScheduleSlot
from agent.energy.situation import ZERO, PowerSpan, RateSpan, Situation
from agent.home.kinds.kind import SIX_DIGITS, DeviceKind
from agent.home.kinds.meter import MeterRole
from agent.home.model.device_model import DeviceModel, Traits
from agent.home.planning_input import PlanningContext, PlanningInput
from agent.home.wishes import Wish

# Finer than that no inverter keeps a limit, and finer steps are only revisions.
POWER_STEP_W = 100
LIMIT, AUTO = "limit", "auto"


class PvInverter(DeviceSection):
    """An inverter: its `power_w` is what it gives, so it is a PV meter too.

    `curtailable`: it takes a limit. Several share what the roof may give by their `max_power_w`.
    """

    role: ClassVar[MeterRole] = MeterRole.PV

    type: Literal["pv_inverter"]
    max_power_w: Watts = Field(gt=0)
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
        rates, roof = situation.export_rates, situation.site.pv
        spans = [(span.start, span.end) for span in rates]
        spans += [(span.start, span.end) for span in roof]
        edges = sorted({edge for both in spans for edge in both})
        for span in plan.site:
            inside = [edge for edge in edges if span.start < edge < span.end]
            for start, end in pairwise([span.start, *inside, span.end]):
                pv_w, price = _power_at(roof, start), _price_at(rates, start)
                found = _limit_of(span, pv_w, price, situation, profile)
                if found is None:
                    continue
                most_w, reason = found
                power_w = min(_calm(most_w * profile.roof_share), profile.max_power_w)
                given_w = min(Decimal(power_w), pv_w * profile.roof_share)
                energy = (given_w * (end - start) / 3_600_000).quantize(SIX_DIGITS)
                out.append(ScheduleSlot(start, end, LIMIT, power_w, energy, price, reason))
        return out


def _limit_of(
    span: SiteSpan,
    pv_w: Decimal,
    price: Decimal | None,
    situation: Situation,
    profile: DeviceProfile,
) -> tuple[Decimal, str] | None:
    """What the roof may give then and why; None: whatever holds outside of slots."""
    if pv_w <= 0:
        return None
    limit_w = situation.site.export_limit_w
    used_w = pv_w - span.curtailed_w + span.import_w - span.export_w
    costs = price is not None and price < 0
    if span.curtailed_w >= POWER_STEP_W:
        return pv_w - span.curtailed_w, "export_price" if costs else "export_limit"
    if costs and not span.export_w:
        # The sun may shine more than is expected: what the house does not use would cost.
        return used_w, "export_price"
    if limit_w is not None and profile.default.mode == LIMIT and pv_w > limit_w:
        return used_w + limit_w, "export_limit"
    return None


def _power_at(spans: Sequence[PowerSpan], when: int) -> Decimal:
    return next((span.power_w for span in spans if span.start <= when < span.end), ZERO)


def _price_at(rates: Sequence[RateSpan], when: int) -> Decimal | None:
    return next((rate.price for rate in rates if rate.start <= when < rate.end), None)


def _calm(power_w: Decimal) -> int:
    return int(power_w / POWER_STEP_W) * POWER_STEP_W
