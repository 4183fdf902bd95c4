"""What the agent has to know of a kind of device: one file a kind, one line in `KINDS`. Pure."""

import builtins
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Generic, TypeVar

from agent.config.devices import DeviceSection
from agent.config.document import Config
from agent.contracts.wire import Request, request_limits
from agent.energy.plan import DevicePlan, Plan, Slot
from agent.energy.profile import DeviceProfile
from agent.energy.readings import DeviceInfo
from agent.energy.schedule import ScheduleSlot
from agent.energy.sentences import sentence
from agent.energy.situation import ZERO, Situation
from agent.home.model.device_model import DeviceModel
from agent.home.model.traits import Traits
from agent.home.planning_input import PlanningContext, PlanningInput
from agent.home.wishes import MODE_KEYS, Wish

S = TypeVar("S", bound=DeviceSection)
SIX_DIGITS = Decimal("1e-6")
SEVEN_DIGITS = Decimal("1e-7")


class DeviceKind(ABC, Generic[S]):
    """All that is special to one kind. Methods are given the device's section of the config.

    `has_stays`: it comes and goes, like a car, and wishes end with its stay.
    """

    type: ClassVar[str]
    section: builtins.type[S]
    has_stays: ClassVar[bool] = False
    # What the owner can do where something of the device had to be assumed.
    assumed_action: ClassVar[str] = "owner: state soc_percent"
    # What the owner can do where more is needed by a deadline than there is time for.
    missing_action: ClassVar[str] = sentence("Set a later ready by or a lower target.")

    @abstractmethod
    def profile(self, section: S) -> DeviceProfile:
        """The device's side of the wire contract."""

    @abstractmethod
    def planning_input(
        self, section: S, model: DeviceModel, wish: Wish, context: PlanningContext
    ) -> PlanningInput:
        """What it asks of the planner now. Changes nothing."""

    @abstractmethod
    def describe(self, section: S) -> str:
        """What is configured, in words for people."""

    def as_told(self, section: S, info: DeviceInfo) -> S:
        """The section with what the config leaves to the device to say."""
        return section

    def at_site(self, profile: DeviceProfile, config: Config) -> DeviceProfile:
        """The profile as it is in that house, beside its other devices."""
        return profile

    def traits(self, section: S) -> Traits:
        profile = self.profile(section)
        return Traits(
            float(profile.max_power_w),
            has_stays=self.has_stays,
            min_on_s=profile.min_on_s,
            min_off_s=profile.min_off_s,
        )

    def wish_keys(self, section: S) -> frozenset[str]:
        """The keys of a request that it knows, besides id, keep and reset."""
        return MODE_KEYS | {"price_cap"}

    def configured(self, section: S, key: str) -> object:
        """What the config says of that key of a request, None where it says nothing."""
        return getattr(section, key, None)

    def limits(self, section: S, key: str) -> tuple[float, float] | None:
        """The least and the most that may be asked for of a number; None for what is none."""
        return request_limits(key)

    def check_request(self, section: S, request: Request, wish: Wish) -> None:
        """`wish` would hold after the request. Raises Refused where this kind cannot mean it."""

    def advance(self, section: S, model: DeviceModel, wish: Wish, context: PlanningContext) -> None:
        """Carry the model on to now, with what is this kind's own."""
        model.advance(context.now)
        model.pop_unassigned()

    def runs_until(self, section: S, model: DeviceModel, now: datetime) -> datetime | None:
        """Until when a run under way must not be cut, whatever its schedule says; None for none."""
        return None

    def session_over(
        self, section: S, model: DeviceModel, wish: Wish, context: PlanningContext
    ) -> bool:
        """Has what the wish was made for come to its end?"""
        return False

    def owes(self, section: S, model: DeviceModel, wish: Wish, context: PlanningContext) -> bool:
        """Has what was asked once not come yet, and is it to come after its time too?"""
        return False

    def slots(
        self, profile: DeviceProfile, plan: DevicePlan, *, most_w: int | None = None
    ) -> Sequence[ScheduleSlot]:
        """The slots of a plan as they are published.

        `most_w`: may be told where it is planned with less, because the device was seen to take
        less (None: as planned).
        """
        out = []
        for slot in plan.slots:
            power = max(int(slot.power_w), most_w or 0)
            if slot.power_w <= 0 or power < profile.min_power_w:
                continue
            out.append(told_slot(slot, profile.on_mode, power, slot.power_w))
        return out

    def site_slots(
        self, profile: DeviceProfile, plan: Plan, situation: Situation
    ) -> Sequence[ScheduleSlot]:
        """The slots of one that is no device of the plan, from its site's part."""
        return ()


def told_slot(
    slot: Slot, mode: str, power_w: int, expected_w: Decimal | None = None
) -> ScheduleSlot:
    """A plan's slot as it is told; `expected_w` where another power is told than is expected."""
    watts = Decimal(power_w) if expected_w is None else expected_w
    energy = (watts * (slot.end - slot.start) / 3_600_000).quantize(SIX_DIGITS)
    return ScheduleSlot(slot.start, slot.end, mode, power_w, energy, slot.price, slot.reason)


def one_slot(profile: DeviceProfile, plan: DevicePlan) -> list[ScheduleSlot]:
    """A plan that runs through as one slot, pauses of its profile included."""
    if not plan.slots:
        return []
    first, last = plan.slots[0], plan.slots[-1]
    energy = sum((slot.power_w * (slot.end - slot.start) / 3_600_000 for slot in plan.slots), ZERO)
    priced = [slot for slot in plan.slots if slot.price is not None and slot.power_w > 0]
    cost = sum((slot.cost for slot in priced), ZERO)
    return [
        ScheduleSlot(
            first.start,
            last.end,
            profile.on_mode,
            profile.max_power_w,
            energy.quantize(SIX_DIGITS),
            (cost / energy).quantize(SEVEN_DIGITS) if priced and energy else None,
            first.reason,
        )
    ]
