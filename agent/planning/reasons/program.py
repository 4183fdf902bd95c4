"""Why a program starts when it does."""

from collections.abc import Iterator

from agent.energy.plan import Reason
from agent.planning.devices.program import ScaledProgram
from agent.planning.reasons.house import SAME_MONEY, House, Instead
from agent.planning.reasons.peak import Peak
from agent.planning.reasons.shared import doubts, is_unpriced, supplied
from agent.planning.reasons.words import ZERO, Numbers, number
from agent.planning.segments import Segment

SHIFTS_S = (7200, 3600, 1800)


class ProgramReasons:
    def __init__(self, house: House, program: ScaledProgram) -> None:
        self._house, self._program = house, program
        self._measured = house.judged.devices[program.id]

    def slot(self, piece: int, segment: Segment) -> str:
        cell = self._house.cells[piece]
        if segment.start >= self._program.deadline:
            return "late"
        if self._program.running or not self._measured.met:
            return "needed_by_deadline"
        if cell.unknown:
            return "unknown"
        return "estimated" if cell.estimated else "cheapest"

    def why(self) -> tuple[Reason, ...]:
        return tuple(self._why())

    def _why(self) -> Iterator[Reason]:
        house, program, measured = self._house, self._program, self._measured
        words = house.words
        if program.running:
            end = max(0, (program.started or 0) + program.length)
            text = f"The program is under way and runs to its end at {words.clock(end)}"
            code, after = "needed_by_deadline", ""
            if not measured.met:
                code, after = "late", f", after its deadline at {words.clock(program.deadline)}"
            yield Reason(code, f"{text}{after}.", {"end": words.instant(end)})
            return
        if not measured.segments and program.energy:
            yield Reason("limit", "The import limit leaves no room for this program.")
            return
        if not measured.met:
            missing = number(house.units.kwh_exactly(measured.shortfall))
            end = measured.start_sum + program.length
            text = (
                f"It cannot end by {words.clock(program.deadline)}; "
                f"it ends at {words.clock(end)}, as early as it may."
            )
            numbers: Numbers = {"shortfall_kwh": missing, "end": words.instant(end)}
            yield Reason("late", text, numbers)
            return
        yield from doubts(house, measured.segments, program.earliest)
        yield from supplied(house, program.id)
        yield from Peak(house).changed(program.id)
        if not is_unpriced(house, measured.segments):
            yield from self._timing(measured.start_sum)

    def _timing(self, start: int) -> Iterator[Reason]:
        house, program, words = self._house, self._program, self._house.words
        if start <= program.earliest:
            what = "Starts at once" if start == 0 else f"Starts at {words.clock(start)}"
            later = self._moved(start, 1)
            if later is None:
                yield Reason("cheapest", f"{what}, as early as it may.", {})
                return
            shift, found = later
            if found.more < -SAME_MONEY:
                yield self._best_found()
                return
            cost = f"{words.money(found.more)} more" if found.more > SAME_MONEY else "the same"
            saves = number(max(ZERO, found.more))
            text = f"{what}: {words.length(shift)} later would cost {cost}."
            yield Reason("cheapest", text, {"start": words.instant(start), "saves": saves})
            return
        what = f"Starts at {words.clock(start)}"
        at_once = house.instead(program, program.segments_from(program.earliest))
        numbers: Numbers = {"start": words.instant(start)}
        if at_once is None:
            yield Reason("cheapest", f"{what}, as the whole run costs least then.", numbers)
        elif not at_once.valid:
            code = "limit" if at_once.above_limit else "cheapest"
            cause = "the import limit has no room" if at_once.above_limit else "it has no place"
            text = f"{what}: {cause} for it at once{self._beside(start, numbers)}."
            yield Reason(code, text, numbers)
        elif at_once.more < -SAME_MONEY:
            yield self._best_found()
        elif at_once.changes > 0 and at_once.cost_more < 0:
            saved, paid = -at_once.cost_more, at_once.changes
            text = (
                f"Kept as it was: starting earlier would save {words.amount(saved)} "
                f"and costs {words.money(paid)} in changes."
            )
            change: Numbers = {"would_save": number(saved), "change_cost": number(paid)}
            yield Reason("change_kept", text, {**change, "saves": number(paid - saved)})
        else:
            saved = at_once.cost_more
            first = "at once" if program.earliest == 0 else f"at {words.clock(program.earliest)}"
            cost = f"{words.money(saved)} more" if saved > SAME_MONEY else "the same"
            text = f"{what}: the same run {first} would cost {cost}."
            yield Reason("cheapest", text, {**numbers, "saves": number(max(ZERO, saved))})

    def _beside(self, start: int, numbers: Numbers) -> str:
        """What it would cost a little earlier, where that is possible."""
        found = self._moved(start, -1)
        if found is None or found[1].more < 0:
            return ""
        shift, other = found
        words = self._house.words
        numbers |= {"earlier_s": shift, "earlier_costs": number(other.more)}
        cost = f"{words.money(other.more)} more" if other.more > SAME_MONEY else "the same"
        return f", {words.length(shift)} earlier would cost {cost}"

    def _best_found(self) -> Reason:
        text = "This is the cheapest start found; there was no time to rule out cheaper ones."
        return Reason("best_found", text)

    def _moved(self, start: int, sign: int) -> tuple[int, Instead] | None:
        for shift in SHIFTS_S:
            other = start + sign * shift
            if other < self._program.earliest or other + self._program.length > (
                self._program.deadline
            ):
                continue
            found = self._house.instead(self._program, self._program.segments_from(other))
            return (shift, found) if found is not None and found.valid else None
        return None
