"""The plan as a JSON document (schema plan/1): the writer, and the model of what it writes.

A field without a value is left out, but for `price`, which is null in unknown time, and `demand`
of a device that has several, which is null where a run must go on for nobody.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.energy.instants import format_early, format_instant, from_unix
from agent.energy.plan import DevicePlan, Number, Plan, Reason, SiteSpan, Slot

SCHEMA = "plan/1"


class _Document(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)


class SlotDocument(_Document):
    start: str
    end: str
    power_w: float
    mode: str
    price: float | None
    cost: float
    estimated: bool
    unknown: bool
    reason: str
    demand: int | None = None
    temperature_c: float | None = None
    energy_kwh: float | None = None


class ReasonDocument(BaseModel):
    """`code`, the sentence, and beside them the numbers behind it."""

    model_config = ConfigDict(defer_build=True, extra="allow", frozen=True)

    code: str
    text: str


class DevicePlanDocument(_Document):
    id: str
    status: Literal["optimal", "best_found", "rule"]
    engine: Literal["exact", "joint", "rule"]
    energy_kwh: float
    cost: float
    starts: int
    deadline_met: bool
    shortfall_kwh: float
    slots: list[SlotDocument]
    why: list[ReasonDocument]


class SiteSpanDocument(_Document):
    start: str
    end: str
    import_w: float
    export_w: float
    curtailed_w: float


class PlanDocument(_Document):
    schema_: Literal["plan/1"] = Field(alias="schema")
    made_at: str
    status: Literal["optimal", "best_found", "rule"]
    engine: Literal["exact", "joint", "rule"]
    cost: float
    baseline_cost: float
    objective: float
    bound: float
    gap: float
    currency: str
    horizon: str
    took_ms: int
    devices: list[DevicePlanDocument]
    site: list[SiteSpanDocument]


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan as a dict that `json.dumps` takes."""
    return {
        "schema": SCHEMA,
        "made_at": format_early(plan.made_at, plan.now_fraction_us),
        "status": plan.status.value,
        "engine": plan.engine.value,
        "cost": _number(plan.cost),
        "baseline_cost": _number(plan.baseline_cost),
        "objective": _number(plan.objective),
        "bound": _number(plan.bound),
        "gap": _number(plan.gap),
        "currency": plan.currency,
        "horizon": _instant(plan.horizon),
        "took_ms": plan.took_ms,
        "devices": [_device(device) for device in plan.devices],
        "site": [_span(span) for span in plan.site],
    }


def _device(device: DevicePlan) -> dict[str, Any]:
    return {
        "id": device.id,
        "status": device.status.value,
        "engine": device.engine.value,
        "energy_kwh": _number(device.energy_kwh),
        "cost": _number(device.cost),
        "starts": device.starts,
        "deadline_met": device.deadline_met,
        "shortfall_kwh": _number(device.shortfall_kwh),
        "slots": _slots(device.slots, numbered=device.numbered),
        "why": [_reason(reason) for reason in device.why],
    }


def _slots(slots: Sequence[Slot], *, numbered: bool) -> list[dict[str, Any]]:
    out = []
    for slot in slots:
        document = {
            "start": _instant(slot.start),
            "end": _instant(slot.end),
            "power_w": _number(slot.power_w),
            "mode": slot.mode,
            "price": _number(slot.price),
            "cost": _number(slot.cost),
            "estimated": slot.estimated,
            "unknown": slot.unknown,
            "reason": slot.reason,
        }
        if numbered:
            document["demand"] = slot.demand
        for key in ("temperature_c", "energy_kwh"):
            value = getattr(slot, key)
            if value is not None:
                document[key] = _number(value)
        out.append(document)
    return out


def _reason(reason: Reason) -> dict[str, Any]:
    numbers = {key: _number(value) for key, value in reason.numbers.items()}
    return {"code": reason.code, "text": reason.text, **numbers}


def _span(span: SiteSpan) -> dict[str, Any]:
    return {
        "start": _instant(span.start),
        "end": _instant(span.end),
        "import_w": _number(span.import_w),
        "export_w": _number(span.export_w),
        "curtailed_w": _number(span.curtailed_w),
    }


def _instant(seconds: int) -> str:
    return format_instant(from_unix(seconds))


def _number(value: Number) -> int | float | str | None:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
