"""A program starts once: its start decides everything."""

from collections.abc import Sequence

from agent.planning.devices.measured import Pieces
from agent.planning.devices.program import ScaledProgram, measure_program
from agent.planning.joint.house import SHORTFALL, House
from agent.planning.joint.milp import Term
from agent.planning.segments import Segment


class ProgramDevice:
    """`starts`: by the cell that it starts with, the column that says so."""

    def __init__(self, house: House, program: ScaledProgram) -> None:
        self.house, self.program = house, program
        self.starts: dict[int, int] = {}
        if program.running or not program.energy:
            return
        milp, priority = house.milp, program.priority
        pieces = Pieces(house.cells, house.starts, house.ends)
        timeline = house.problem.timeline
        one: list[Term] = []
        for k, cell in enumerate(house.cells):
            end = cell.start + program.length
            if cell.start < program.earliest or end > house.ends[-1]:
                continue
            if house.strict and end > program.deadline:
                continue
            own = program.segments_from(cell.start)
            measured = measure_program(timeline, program, own, pieces)
            column = milp.binary()
            one.append((column, 1.0))
            self.starts[k] = column
            house.aim(f"{SHORTFALL}{priority}", column, house.kwh(measured.shortfall))
            # Energy times twice the seconds.
            house.aim("late", column, house.kwh(measured.late) / 7200)
            house.aim("unknown", column, house.kwh(measured.unknown))
            house.pay(column, house.currency(measured.changes))
            self._draw(column, own, k)
        top = house.kw(max(phase.power for phase in program.phases))
        house.most = [most + top for most in house.most]
        none = milp.column(0.0, 1.0)
        one.append((none, 1.0))
        house.aim(f"{SHORTFALL}{priority}", none, house.kwh(program.energy))
        house.aim("never", none, house.kwh(program.energy))
        if program.incumbent.cost:
            lost = program.incumbent.changes(()) * program.incumbent.cost
            house.pay(none, house.currency(lost))
        milp.equal(one, 1.0)

    def _draw(self, column: int, own: tuple[Segment, ...], first: int) -> None:
        house = self.house
        for k in range(first, len(house.cells)):
            cell = house.cells[k]
            inside = [
                (s.power, min(s.end, cell.end) - max(s.start, cell.start))
                for s in own
                if s.start < cell.end and s.end > cell.start
            ]
            if not inside:
                if cell.start >= own[-1].end:
                    break
                continue
            mean = house.kwh(sum(p * seconds for p, seconds in inside)) / house.hours[k]
            peak = house.kw(max(p for p, _ in inside))
            house.balance[k].append((column, mean))
            if peak > mean:
                house.beyond[k].append((column, peak - mean))

    def segments(self, values: Sequence[float]) -> tuple[Segment, ...]:
        if not self.starts:
            return ()
        k = max(self.starts, key=lambda k: values[self.starts[k]])
        if values[self.starts[k]] < 0.5:
            return ()
        return self.program.segments_from(self.house.starts[k])
