"""Who a load's energy is for: the windows of its needs, and what was asked of it once. Pure.

Each kWh serves one claim. It goes to the one whose time is over first; a window that is over claims
what it has missed until the next window of its need begins.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from agent.config.devices import EnergyNeed
from agent.energy.situation import ZERO
from agent.home.model.device_model import DeviceModel
from agent.home.model.meter import MeteredInterval
from agent.home.model.once import OnceTaken
from agent.home.model.stored import progress_key
from agent.home.planning_input import PLANNED_AHEAD, PlanningContext
from agent.home.windows import occurrences
from agent.home.wishes import ONCE_LATE, Wish

# What is missed is made good for three days at most: a planner goes no further either.
MADE_GOOD_WITHIN = timedelta(hours=72)
# As long as a window lasts and may be made good.
PROGRESS_KEPT = timedelta(days=5)
# A claim that needs all its time but for so much cannot wait for another: of a small load, what it
# takes in a few minutes.
SPARE_KWH, SPARE_H = 0.05, 0.05


@dataclass(frozen=True, slots=True)
class Claim:
    """`kwh` of energy within `[start, end)`, or else up to `late_until` (`end`: not after it).

    `need` is whose window it is, None for what was asked once. `waived`: nobody is there to want
    it.
    """

    key: str
    start: datetime
    end: datetime
    late_until: datetime
    kwh: Decimal
    need: EnergyNeed | None = None
    waived: bool = False


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims on a load of `power_w`; `needs` with the kWh that each of them takes a window.

    `rests_while_away`: a window that is over before people are back is waived. `capped`: a price
    cap holds, and what that has a window miss is not made good.
    """

    needs: Sequence[tuple[EnergyNeed, Decimal]]
    power_w: int
    rests_while_away: bool
    capped: bool
    model: DeviceModel
    wish: Wish
    context: PlanningContext

    # --- which there are ------------------------------------------------------------------------

    def within(self, since: datetime, until: datetime, at: datetime) -> list[Claim]:
        """Those that are open after `since` and begin before `until`, as they stand at `at`."""
        found = [
            claim
            for index, (need, kwh) in enumerate(self.needs)
            for claim in self._windows(index, need, kwh, since, until, at)
            if claim.late_until > since
        ]
        once = self.once()
        return found if once is None else [*found, once]

    def _windows(
        self,
        index: int,
        need: EnergyNeed,
        kwh: Decimal,
        since: datetime,
        until: datetime,
        at: datetime,
    ) -> Iterator[Claim]:
        place, away = self.context.location, self.context.away_until
        after = since - MADE_GOOD_WITHIN if need.serves_late else since
        for start, end in occurrences(need.window, place, after, until):
            key, late_until = progress_key(start, index), end
            owed = key in self.model.promised or end > self.context.now
            if need.serves_late and owed and end <= at and not self.capped:
                late_until = self._made_good_until(need, start, end)
            waived = self.rests_while_away and away is not None and end <= away
            yield Claim(key, start, end, late_until, kwh, need, waived)

    def _made_good_until(self, need: EnergyNeed, start: datetime, end: datetime) -> datetime:
        latest = end + MADE_GOOD_WITHIN
        for begin, _ in occurrences(need.window, self.context.location, end, latest):
            if begin > start:
                return max(end, begin)
        return latest

    def once(self) -> Claim | None:
        """More of it, asked for once: counted from when it was asked."""
        values, asked_at, now = self.wish.values, self.wish.asked_at, self.context.now
        amount = values.energy_kwh
        if values.hours is not None:
            amount = Decimal(self.power_w) * values.hours / 1000
        if amount is None or asked_at is None:
            return None
        end = values.ready_by or self.wish.once_until or now + PLANNED_AHEAD
        return Claim("", min(asked_at, now), end, end + ONCE_LATE, amount)

    # --- what they have got ---------------------------------------------------------------------

    def taken_kwh(self, claim: Claim) -> float:
        if claim.need is None:
            once = self.model.once
            return once.kwh if once is not None and once.asked_at_kwh == self._asked_at() else 0.0
        return self.model.progress.get(claim.key, 0.0)

    def missing_kwh(self, claim: Claim) -> Decimal:
        return claim.kwh - Decimal(repr(round(self.taken_kwh(claim), 6)))

    def in_order(self, claims: Sequence[Claim], at: datetime) -> list[Claim]:
        """Who is served first at that time: who cannot wait, then whose time is over first."""

        spare_kwh = min(SPARE_KWH, SPARE_H * self.power_w / 1000)

        def rank(claim: Claim) -> tuple[bool, bool, datetime, datetime]:
            left_h = (claim.end - max(at, claim.start)).total_seconds() / 3600
            possible_kwh = self.power_w * left_h / 1000
            missing = float(self.missing_kwh(claim))
            presses = left_h > 0 and missing > spare_kwh and missing + spare_kwh >= possible_kwh
            return claim.waived, not presses, claim.end, claim.start

        return sorted(claims, key=rank)

    def _asked_at(self) -> float:
        """What the meter showed when it was asked once."""
        return float(self.wish.values.counter_start_kwh or ZERO)

    # --- energy that was counted ----------------------------------------------------------------

    def promise(self) -> None:
        """Note the windows under way: what they miss is to be made good after them.

        Of those that are over, the ones that are still to be made good stay.
        """
        now, promised = self.context.now, self.model.promised
        self.model.promised = {
            claim.key
            for claim in self.within(now, now, now)
            if claim.need is not None
            and (claim.key in promised if claim.end <= now else not claim.waived)
        }

    def assign(self, intervals: Sequence[MeteredInterval]) -> None:
        """Give the energy that was counted to the claims that it serves."""
        counted = self.model.meter.total_kwh - sum(interval.energy_kwh for interval in intervals)
        for interval in intervals:
            counted += interval.energy_kwh
            self._assign(interval, counted)

    def _assign(self, interval: MeteredInterval, counted_kwh: float) -> None:
        left = interval.energy_kwh
        end = max(interval.end, interval.start)
        claims = self.in_order(self.within(interval.start, end, end), interval.start)
        shares = {claim.key: self._share(claim, interval, counted_kwh) for claim in claims}
        if left < 0:
            for claim in reversed(claims):
                back = max(left, shares[claim.key], -self.taken_kwh(claim))
                self._add(claim, back)
                left -= back
            return
        for claim in claims:
            wants = max(0.0, float(self.missing_kwh(claim)))
            amount = min(left, shares[claim.key], wants)
            self._add(claim, amount)
            shares[claim.key] -= amount
            left -= amount
        # What nobody needs is the window's in which it came: a correction takes it back first.
        for claim in reversed(claims):
            if claim.need is not None and interval.start < claim.end:
                amount = min(left, shares[claim.key])
                self._add(claim, amount)
                left -= amount

    def _share(self, claim: Claim, interval: MeteredInterval, counted_kwh: float) -> float:
        """How much of that energy came in the claim's time."""
        kwh = interval.energy_kwh
        if claim.need is None:
            since = counted_kwh - self._asked_at()
            return max(0.0, min(kwh, since)) if kwh > 0 else kwh
        length = (interval.end - interval.start).total_seconds()
        if length <= 0:
            return kwh if claim.start <= interval.start <= claim.late_until else 0.0
        until = min(claim.late_until, interval.end)
        inside = (until - max(claim.start, interval.start)).total_seconds()
        return kwh * max(0.0, inside) / length

    def _add(self, claim: Claim, kwh: float) -> None:
        if not kwh:
            return
        if claim.need is None:
            self.model.once = OnceTaken(self._asked_at(), self.taken_kwh(claim) + kwh)
        else:
            self.model.progress[claim.key] = self.model.progress.get(claim.key, 0.0) + kwh
