"""The plan document keeps to its model."""

from agent.contracts.plan import PlanDocument, plan_document
from agent.contracts.situation.reading import read_situation
from agent.planning import make_plan
from tests.agent.contracts.test_situation import BASE, changed


def test_plans_of_both_engines_keep_to_the_model() -> None:
    alone = changed(("site", {}), ("devices", BASE["devices"][:2]))
    for document in (BASE, alone):
        plan = make_plan(read_situation(document))
        written = plan_document(plan)
        PlanDocument.model_validate(written)
        assert written["made_at"] == BASE["now"]


def test_unknown_time_has_no_price_and_only_several_demands_are_numbered() -> None:
    alone = changed(("site", {}), ("devices", BASE["devices"][:1]), ("import_rates", []))
    slots = plan_document(make_plan(read_situation(alone)))["devices"][0]["slots"]
    assert slots[0]["price"] is None
    assert "demand" not in slots[0]


def test_the_instant_of_making_keeps_its_fraction() -> None:
    plan = make_plan(read_situation(changed(("now", "2026-01-16T09:59:59.250Z"))))
    assert plan_document(plan)["made_at"] == "2026-01-16T09:59:59.250000Z"
