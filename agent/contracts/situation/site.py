"""The house around the devices: its limits, base load, roof and capacity charge."""

from decimal import Decimal

from agent.contracts.reader import Reader
from agent.contracts.situation.checks import begins, power_span, read_spans
from agent.energy.situation import CapacityCharge, Site

WINDOW_S = Decimal(900)


def read_site(reader: Reader) -> Site:
    site = Site(
        import_limit_w=reader.optional_number("import_limit_w", least=0),
        import_limits=tuple(read_spans(reader, "import_limits", power_span)),
        export_limit_w=reader.optional_number("export_limit_w", least=0),
        pv_curtailable=reader.flag("pv_curtailable", default=False),
        base_load=tuple(read_spans(reader, "base_load", power_span)),
        pv=tuple(read_spans(reader, "pv", power_span)),
        capacity_charge=reader.child("capacity_charge", _capacity_charge),
    )
    reader.close()
    return site


def _capacity_charge(reader: Reader) -> CapacityCharge:
    window_s = reader.number("window_s", WINDOW_S)
    if window_s <= 0 or window_s % WINDOW_S:
        reader.fault("window_s", f"is {window_s}; expected a multiple of {WINDOW_S}")
    charge = CapacityCharge(
        per_kw=reader.number("per_kw", least=0),
        window_s=int(window_s),
        peak_so_far_w=reader.number("peak_so_far_w", least=0),
        window_energy_kwh=reader.optional_number("window_energy_kwh", least=0),
        period_end=begins(reader, "period_end"),
        next_floor_w=reader.number("next_floor_w", least=0),
    )
    reader.close()
    return charge
