"""A tank of hot water: heated while it is cheap, ready when it is wanted, hot for hygiene. Pure."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from agent.config.base import KeyFault, refuse
from agent.config.heat import Band, ComfortBand, Cop, HeatStoreSection, HygieneSection
from agent.config.units import kw_meant
from agent.energy.instants import to_unix_ceil, to_unix_floor
from agent.energy.localtime import local_instant
from agent.energy.schedule import DeviceType
from agent.energy.sentences import sentence
from agent.energy.situation import Hygiene, PowerSpan, TemperatureSpan
from agent.home.estimates.heat_loss import HeatStore
from agent.home.kinds.thermal import PIECES_AHEAD, ThermalKind
from agent.home.model.thermal import ThermalState, ThermalTraits
from agent.home.planning_input import PlanningContext

KWH_PER_LITRE_C = 0.001163
# Where class C of regulation (EU) 812/2013 begins: W at 45 °C above the room.
LOSS_OF_NONE_W, LOSS_PER_SIZE_W, LOSS_AT_C = 12.0, 5.93, 45.0
# 40 litres a day that were warmed by 35 °C.
KWH_A_PERSON = 1.6
# Shares of a day's hot water between two local hours.
DRAWN = ((6, 8, 0.40), (8, 12, 0.10), (12, 13, 0.10), (18, 22, 0.40))
MARGIN_C = 15.0
DEGREE = Decimal("0.5")


class HotWaterTank(HeatStoreSection):
    """A tank with a heating rod (`cop` 1) or a heat pump of its own.

    `comfort` bands come with their times; outside of them `setback` holds. `room_c` is around it.
    """

    type: Literal["hot_water_tank"]
    litres: float = Field(ge=20, le=5000, allow_inf_nan=False)
    persons: float = Field(default=2.0, ge=0, le=50, allow_inf_nan=False)
    standing_loss_w: float | None = Field(default=None, ge=0, le=2000, allow_inf_nan=False)
    room_c: float = Field(default=18.0, ge=-20, le=40, allow_inf_nan=False)
    cop: Cop = ((7.0, 1.0),)
    comfort: tuple[ComfortBand, ...] = ()
    setback: Band = Band(min_c=45.0, max_c=58.0)
    hygiene: HygieneSection = HygieneSection()

    @property
    def store(self) -> HeatStore:
        loss_w = self.standing_loss_w
        if loss_w is None:
            loss_w = LOSS_OF_NONE_W + LOSS_PER_SIZE_W * self.litres**0.4
        return HeatStore(self.litres * KWH_PER_LITRE_C, loss_w / LOSS_AT_C)

    @property
    def drawn_kwh(self) -> float:
        """Heat that its people take out in a day."""
        return self.persons * KWH_A_PERSON

    @model_validator(mode="after")
    def _check_reach(self) -> "HotWaterTank":
        heat_w = self.power_w * self.heat_per_w(self.room_c)
        needed_w = self.drawn_kwh * 1000 / 24
        faults = []
        for keys, band in self.keyed_bands():
            lost_w = self.store.loss_w_per_c * max(0.0, band.min_c - self.room_c)
            if lost_w + needed_w > heat_w:
                expected = (
                    f"{self.power_w} W of power_w make {heat_w:.0f} W of heat and "
                    f"{needed_w + lost_w:.0f} W are drawn and lost; expected more power_w or fewer "
                    f"persons{kw_meant(self.power_w)}"
                )
                faults.append(KeyFault((*keys, "min_c"), expected, band.min_c))
        refuse(faults)
        return self


class HotWaterTankKind(ThermalKind[HotWaterTank]):
    type = "hot_water_tank"
    section = HotWaterTank
    device_type = DeviceType.WATER_HEATING
    lowest_wish_c = 10.0
    unfelt_c = 0.5

    def thermal_traits(self, section: HotWaterTank) -> ThermalTraits:
        hottest = max([*(band.max_c for band in section.bands), section.hygiene.temp_c])
        return ThermalTraits(
            section.store,
            lowest_c=0.0,
            highest_c=hottest + MARGIN_C,
            slack_c=5.0,
            # A bath is let in within a quarter of an hour.
            moves_c_per_h=60.0,
            settles_s=120.0,
            stands_c=15.0,
        )

    def highest_wish_c(self, section: HotWaterTank) -> float:
        return max(band.max_c for band in section.bands)

    def surrounding_c(
        self, section: HotWaterTank, context: PlanningContext
    ) -> Sequence[TemperatureSpan]:
        start, end = to_unix_floor(context.now), to_unix_ceil(context.now + PIECES_AHEAD)
        return (TemperatureSpan(start, end, Decimal(repr(section.room_c))),)

    def draw(self, section: HotWaterTank, context: PlanningContext) -> Sequence[PowerSpan]:
        """A plain day of its people; nothing while they are away."""
        now, zone = context.now, context.location.zone
        begin = max(now, context.away_until) if context.away_until else now
        day, out = now.astimezone(zone).date(), []
        while local_instant(day, time(0), zone) < now + PIECES_AHEAD:
            for first, last, share in DRAWN:
                start = max(begin, local_instant(day, time(first), zone))
                end = local_instant(day, time(last), zone)
                if start < end:
                    watts = round(section.drawn_kwh * share / (last - first) * 1000)
                    out.append(PowerSpan(to_unix_floor(start), to_unix_floor(end), Decimal(watts)))
            day += timedelta(days=1)
        return out

    def hygiene(self, section: HotWaterTank, state: ThermalState, now: datetime) -> Hygiene | None:
        rule = section.hygiene
        if rule.programme != "ours" or state.hygiene_at is None:
            return None
        due = state.hygiene_at + timedelta(days=rule.every_days)
        if due <= now:
            # Overdue: within a day of when it was due, so that it is not put off for ever.
            due += timedelta(days=1 + (now - due) // timedelta(days=1))
        held_s = 0 if state.hot_since is None else int((now - state.hot_since).total_seconds())
        goal_c = Decimal(repr(rule.temp_c)) + DEGREE
        return Hygiene(to_unix_floor(due), goal_c, max(0, rule.hold_s - held_s))

    def after_advance(self, section: HotWaterTank, state: ThermalState, now: datetime) -> None:
        rule = section.hygiene
        if rule.programme != "ours":
            state.hot_since = state.hygiene_at = None
            return
        # Nobody knows when it was hot before: it counts from the first day.
        state.hygiene_at = state.hygiene_at or now
        state.note_heat(rule.temp_c, rule.hold_s, now)

    def describe(self, section: HotWaterTank) -> str:
        band = section.setback
        kinds = {
            "own": "its own programme",
            "ours": f"{section.hygiene.temp_c:g} °C every {section.hygiene.every_days} days",
            "none": "none",
        }
        return (
            f"tank of {section.litres:g} litres for {section.persons:g} persons, {section.power_w} "
            f"W, {band.min_c:g} to {band.max_c:g} °C, hygiene: {kinds[section.hygiene.programme]}"
        )

    def beliefs(
        self, section: HotWaterTank, state: ThermalState, context: PlanningContext
    ) -> tuple[str, ...]:
        kwh = section.drawn_kwh
        out = [sentence("{kwh:.1f} kWh of hot water a day are taken to be drawn", kwh=kwh)]
        if section.hygiene.programme == "ours" and state.hygiene_at is not None:
            day = state.hygiene_at.astimezone(context.location.zone).date()
            out.append(sentence("last hot for hygiene, or counted from, {day}", day=day))
        return tuple(out)
