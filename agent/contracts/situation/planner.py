"""What the planner is told beside the house: margins, the price of changes, the plan in force."""

from agent.contracts.reader import Reader
from agent.contracts.situation.checks import begins, distinct, identity, read_spans
from agent.energy.situation import Planner, PowerSpan, PreviousPlan


def read_planner(reader: Reader) -> Planner:
    def previous(one: Reader) -> PreviousPlan:
        plan = PreviousPlan(identity(one), tuple(read_spans(one, "slots", _signed_power_span)))
        one.close()
        return plan

    planner = Planner(
        estimate_margin_per_kwh=reader.number("estimate_margin_per_kwh", least=0),
        change_cost=reader.number("change_cost", least=0),
        change_until=begins(reader, "change_until"),
        previous=tuple(reader.children("previous", previous)),
    )
    distinct(reader, "previous")
    reader.close()
    return planner


def _signed_power_span(reader: Reader, start: int, end: int) -> PowerSpan:
    return PowerSpan(start, end, reader.number("power_w", required=True))
