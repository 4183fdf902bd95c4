"""What heats a store whose temperature is planned: a house, a tank. Pure.

`normal` is the appliance's own logic: its thermostat keeps what it was set to, which nobody knows
here; so planned heat is always told as `boost` (`force` beyond the comfort maximum, where the owner
allows it), and `block` comes where the plan wants nothing taken while it is dear.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import ClassVar, TypeVar

from agent.config.heat import HeatStoreSection
from agent.contracts.wire import Request
from agent.energy.instants import to_unix_floor
from agent.energy.plan import DevicePlan
from agent.energy.profile import DeviceProfile
from agent.energy.readings import Reading
from agent.energy.schedule import DeviceType, Goal, ScheduleSlot
from agent.energy.sentences import sentence
from agent.energy.situation import Hygiene, PowerSpan, TemperatureSpan, Thermal
from agent.errors import Refused
from agent.home.comfort import (
    ComfortPiece,
    band_with,
    comfort_pieces,
    decimal_c,
    raised_by,
    with_absence,
    with_wish,
)
from agent.home.kinds.heat import heat_profile
from agent.home.kinds.kind import DeviceKind, told_slot
from agent.home.model.device_model import DeviceModel
from agent.home.model.surroundings import Surroundings
from agent.home.model.thermal import TELLS_WITHIN, ThermalState, ThermalTraits
from agent.home.model.traits import Traits
from agent.home.planning_input import (
    PLANNED_AHEAD,
    PlanningContext,
    PlanningInput,
    boosted_kwh,
    override_of,
)
from agent.home.wishes import MODE_KEYS, Wish, WishValues

# Prices are known or estimated that far; pieces beyond the horizon cost little.
PIECES_AHEAD = PLANNED_AHEAD + timedelta(hours=6)
COMFORT_KEYS = frozenset({"comfort_min_c", "comfort_max_c"})
ONCE_KEYS = frozenset({"hours", "energy_kwh", "ready_by"})
# What is asked for once stays in the store until it is used.
KEPT_READY = timedelta(hours=1)
POWER_STEP_W = 100
# Steps in which what is believed is told: a twentieth is no news.
TOLD_STEPS = 20

T = TypeVar("T", bound=HeatStoreSection)


class ThermalKind(DeviceKind[T]):
    """Subclasses say what the store is, what works on it, and what else is asked of it."""

    device_type: ClassVar[DeviceType]
    # What a person may ask for in °C.
    lowest_wish_c: ClassVar[float]
    # What nobody feels.
    unfelt_c: ClassVar[float]
    assumed_action = "owner: connect its thermometer; the device publishes temperature_c on state"

    @abstractmethod
    def thermal_traits(self, section: T) -> ThermalTraits:
        """Its store, and what its thermometer can say."""

    @abstractmethod
    def highest_wish_c(self, section: T) -> float:
        """The most that a person may ask for, °C."""

    @abstractmethod
    def surrounding_c(self, section: T, context: PlanningContext) -> Sequence[TemperatureSpan]:
        """How warm it is around the store."""

    def draw(self, section: T, context: PlanningContext) -> Sequence[PowerSpan]:
        """The heat that is taken out of it."""
        return ()

    def hygiene(self, section: T, state: ThermalState, now: datetime) -> Hygiene | None:
        """When it has to be hot next."""
        return None

    # --- what it is -----------------------------------------------------------------------------

    def profile(self, section: T) -> DeviceProfile:
        return replace(
            heat_profile(section, self.device_type),
            min_power_w=section.least_power_w,
            block_max_s=section.block_max_s,
            force_above_c=max(band.max_c for band in section.bands) if section.force else None,
        )

    def traits(self, section: T) -> Traits:
        return Traits(
            float(section.power_w),
            thermal=self.thermal_traits(section),
            min_on_s=section.min_on_s,
            min_off_s=section.min_off_s,
        )

    # --- what a person asks ---------------------------------------------------------------------

    def wish_keys(self, section: T) -> frozenset[str]:
        return MODE_KEYS | COMFORT_KEYS | ONCE_KEYS

    def configured(self, section: T, key: str) -> object:
        """Of comfort the first band of the day; at other times another one may hold."""
        if key not in COMFORT_KEYS:
            return super().configured(section, key)
        band = section.comfort[0] if section.comfort else section.setback
        return band.min_c if key == "comfort_min_c" else band.max_c

    def limits(self, section: T, key: str) -> tuple[float, float] | None:
        if key in COMFORT_KEYS:
            return self.lowest_wish_c, self.highest_wish_c(section)
        return super().limits(section, key)

    def check_request(self, section: T, request: Request, wish: Wish) -> None:
        least, most = self.lowest_wish_c, self.highest_wish_c(section)
        for key in sorted(COMFORT_KEYS):
            value = getattr(request, key)
            if value is not None and not least <= value <= most:
                raise Refused(
                    sentence(
                        "{key} is {value:g}; expected {least:g} to {most:g} °C",
                        key=key,
                        value=value,
                        least=least,
                        most=most,
                    )
                )
        if request.comfort_min_c is not None or request.comfort_max_c is not None:
            self._check_bands(section, wish.values)
        values = wish.values
        if request.energy_kwh is not None or request.hours is not None:
            more_c, room_c = self._more_c(section, values), self._room_c(section)
            if more_c > room_c:
                kwh = room_c * self._kwh_per_c(section)
                raise Refused(
                    sentence(
                        "it takes {kwh:.1f} kWh more at most: that is from its lowest to its "
                        "highest temperature, {room:g} °C",
                        kwh=kwh,
                        room=room_c,
                    )
                )
        elif request.ready_by is not None and values.energy_kwh is None and values.hours is None:
            raise Refused(
                sentence("ready_by goes with energy_kwh or hours: what shall be ready by then?")
            )

    def _check_bands(self, section: T, values: WishValues) -> None:
        """Both given: in order. One given: not beyond the other limit of every band."""
        low, high = values.comfort_min_c, values.comfort_max_c
        if low is not None and high is not None:
            if low >= high:
                raise Refused(
                    sentence(
                        "comfort_min_c {low:g} is not below comfort_max_c {high:g}",
                        low=low,
                        high=high,
                    )
                )
            return
        found = [band_with(band, values) for band in section.bands]
        if all(least >= most for least, most in found):
            least, most = found[0]
            raise Refused(
                sentence(
                    "comfort_min_c {low:g} is not below comfort_max_c {high:g}; give both of them, "
                    "or the other one first",
                    low=least,
                    high=most,
                )
            )

    def _kwh_per_c(self, section: T) -> float:
        """What a degree takes from the grid on a usual day."""
        store = self.thermal_traits(section).store
        return store.capacity_kwh_per_c / section.heat_per_w(self.usual_outdoor_c)

    usual_outdoor_c: ClassVar[float] = 7.0

    def _more_c(self, section: T, values: WishValues) -> float:
        """What was asked for once, in degrees."""
        energy = values.energy_kwh
        if values.hours is not None:
            energy = Decimal(section.power_w) * values.hours / 1000
        return 0.0 if energy is None else float(energy) / self._kwh_per_c(section)

    def _room_c(self, section: T) -> float:
        return max(b.max_c for b in section.bands) - min(b.min_c for b in section.bands)

    # --- what is known --------------------------------------------------------------------------

    def advance(self, section: T, model: DeviceModel, wish: Wish, context: PlanningContext) -> None:
        now, state = context.now, model.thermal
        assert state is not None
        model.advance(now)
        around = self._surroundings(section, context)
        piece = self._pieces(section, wish, context)[0]
        doubt = state.advance(
            now,
            model.pop_unassigned(),
            around,
            model.readings.get("temperature_c"),
            assumed_c=(piece.min_c + piece.max_c) / 2,
            metered=model.meter.drawn.reports(now),
        )
        state.thermostat.advance(now, state.store, around, piece.min_c)
        model.doubts.note("temperature_c", doubt, now)
        self.after_advance(section, state, now)

    def after_advance(self, section: T, state: ThermalState, now: datetime) -> None:
        """What else is noted of it; most kinds note nothing."""

    def _surroundings(self, section: T, context: PlanningContext) -> Surroundings:
        spans, draws = self.surrounding_c(section, context), self.draw(section, context)

        def outdoor_c(when: datetime) -> float:
            second = to_unix_floor(when)
            before = [span for span in spans if span.start <= second] or spans[:1]
            return float(before[-1].temp_c)

        def drawn_w(when: datetime) -> float:
            second = to_unix_floor(when)
            return sum(float(d.power_w) for d in draws if d.start <= second < d.end)

        measured = context.expected_outdoor.measured
        return Surroundings(outdoor_c, section.heat_per_w, drawn_w, measured=measured)

    def _pieces(self, section: T, wish: Wish, context: PlanningContext) -> list[ComfortPiece]:
        now = context.now
        pieces = comfort_pieces(
            section.comfort, section.setback, context.location.zone, now, now + PIECES_AHEAD
        )
        return with_wish(with_absence(pieces, section.setback, context.away_until), wish)

    # --- what is planned ------------------------------------------------------------------------

    def planning_input(
        self, section: T, model: DeviceModel, wish: Wish, context: PlanningContext
    ) -> PlanningInput:
        now, state = context.now, model.thermal
        assert state is not None
        pieces = self._pieces(section, wish, context)
        present = pieces[0]
        temperature = state.temperature_c
        if temperature is None:
            temperature = (present.min_c + present.max_c) / 2
        override = override_of(wish, model, section.power_w, now)
        full = temperature >= present.max_c
        if full and wish.mode.name == "boost" and wish.mode.open_ended:
            override = None
        pieces, ready_by = self._with_once(section, wish, pieces, now)
        on, off = model.switching.on_since, model.switching.off_since
        switched = bool(section.min_on_s or section.min_off_s or section.start_cost)
        min_off_s = section.min_off_s
        if override is not None and override.mode == "pause":
            # The plan knows that it stays off; after two hours it is let go.
            length = (override.until - now).total_seconds()
            min_off_s = max(min_off_s, min(int(length), section.block_max_s))
            on, off, switched = None, now, True
        if override is not None and override.mode == "boost":
            warmer_c = float(boosted_kwh(override, now)) / self._kwh_per_c(section)
            temperature = min(temperature + warmer_c, max(temperature, present.max_c))
        store = state.store
        device = Thermal(
            id=section.id,
            max_power_w=Decimal(section.power_w),
            min_power_w=Decimal(section.least_power_w),
            temperature_c=decimal_c(temperature),
            capacity_kwh_per_c=Decimal(repr(round(store.capacity_kwh_per_c, 4))),
            loss_w_per_c=Decimal(repr(round(store.loss_w_per_c, 3))),
            gains_w=Decimal(repr(round(store.gains_w, 1))),
            control=section.control.value,
            min_on_s=section.min_on_s,
            min_off_s=min_off_s,
            start_cost=section.start_cost,
            on_since=to_unix_floor(on) if on and switched else None,
            off_since=to_unix_floor(off) if off and switched and not on else None,
            draw=tuple(self.draw(section, context)),
            comfort=tuple(piece.span() for piece in pieces),
            outdoor=tuple(self.surrounding_c(section, context)),
            cop=tuple((decimal_c(at), decimal_c(number)) for at, number in section.cop),
            hygiene=self.hygiene(section, state, now),
            block_max_s=section.block_max_s,
            priority=section.priority,
        )
        return PlanningInput(
            device,
            Goal(None, None, ready_by),
            override,
            full=full,
            notes=_notes(state, temperature, now, model.readings.get("temperature_c")),
            beliefs=self.beliefs(section, state, context),
            unfelt_c=self.unfelt_c,
        )

    def _with_once(
        self, section: T, wish: Wish, pieces: list[ComfortPiece], now: datetime
    ) -> tuple[list[ComfortPiece], int | None]:
        """With what was asked for once: so much warmer by then, held until it is used."""
        values = wish.values
        by = values.ready_by or wish.once_until
        more_c = self._more_c(section, values)
        if not more_c or by is None or by + KEPT_READY <= now:
            return pieces, None
        return raised_by(pieces, by, by + KEPT_READY, more_c), to_unix_floor(by)

    def beliefs(self, section: T, state: ThermalState, context: PlanningContext) -> tuple[str, ...]:
        """What is believed of it, in words for health."""
        return ()

    # --- what it is told ------------------------------------------------------------------------

    def slots(
        self, profile: DeviceProfile, plan: DevicePlan, *, most_w: int | None = None
    ) -> Sequence[ScheduleSlot]:
        out = []
        for slot in plan.slots:
            power, mode = _calm(slot.power_w, profile), profile.on_mode
            force_above_c, reached_c = profile.force_above_c, slot.temperature_c
            if slot.mode == "block":
                mode, power = profile.pause_mode, 0
            elif not power:
                continue
            elif force_above_c is not None and reached_c is not None and reached_c > force_above_c:
                mode = "force"
            out.append(told_slot(slot, mode, power))
        return out


def _calm(power_w: Decimal, profile: DeviceProfile) -> int:
    """To 100 W within what it can: finer steps are only revisions."""
    if power_w <= 0:
        return 0
    power = round(power_w / POWER_STEP_W) * POWER_STEP_W
    return min(profile.max_power_w, max(profile.min_power_w, power))


def outdoor_spans(context: PlanningContext) -> list[TemperatureSpan]:
    """What is expected outdoors, as far as anything is planned."""
    steps = context.expected_outdoor.steps
    start = to_unix_floor(context.now)
    end = to_unix_floor(context.now + PIECES_AHEAD)
    edges = [start, *steps.between(start, end), end]
    out: list[TemperatureSpan] = []
    for a, b in pairwise(edges):
        temp = decimal_c(steps.value(a))
        if out and out[-1].temp_c == temp:
            out[-1] = replace(out[-1], end=b)
        else:
            out.append(TemperatureSpan(a, b, temp))
    return out


def in_steps(factor: float) -> float:
    return round(factor * TOLD_STEPS) / TOLD_STEPS


def _notes(
    state: ThermalState, temperature_c: float, now: datetime, last: Reading | None
) -> tuple[str, ...]:
    """`last` is the newest reading, believed or not."""
    if state.told_at is None:
        if last is not None and last.at_is_guessed:
            why = sentence(
                "the temperature (temperature_c) that it told last has no time that is known"
            )
        elif last is not None and now - last.at > TELLS_WITHIN:
            why = sentence(
                "the temperature (temperature_c) was last told {since}, too long ago", since=last.at
            )
        elif last is not None:
            why = sentence("no temperature (temperature_c) that it told can be believed")
        else:
            why = sentence("no temperature (temperature_c) has ever been told")
        assumed = sentence(
            "{why}: {degrees:.0f} °C, from the middle of its comfort band on, is assumed",
            why=why,
            degrees=temperature_c,
        )
        return (assumed,)
    if not state.tells(now):
        return (
            sentence(
                "the temperature (temperature_c) was last told {since}: what it is since then is "
                "calculated",
                since=state.told_at,
            ),
        )
    return ()
