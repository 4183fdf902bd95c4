"""What the Situation document refuses, how it says so, and that nothing is lost on the way."""

import copy
import json
from decimal import Decimal
from typing import Any

import pytest

from agent.contracts.reader import Refusal
from agent.contracts.situation.reading import parse_situation, read_situation
from agent.contracts.situation.writing import situation_document
from agent.energy.situation import Flexible, Program, Storage, Thermal

BASE: dict[str, Any] = {
    "schema": "situation/1",
    "now": "2026-01-16T10:00:00Z",
    "timezone": "Europe/London",
    "currency": "GBP",
    "import_rates": [
        {"start": "2026-01-16T10:00:00Z", "end": "2026-01-16T11:00:00Z", "price": 0.3},
        {"start": "2026-01-16T11:00:00Z", "end": "2026-01-16T12:00:00Z", "price": 0.1},
    ],
    "site": {
        "import_limit_w": 8000,
        "base_load": [
            {"start": "2026-01-16T10:00:00Z", "end": "2026-01-16T12:00:00Z", "power_w": 400}
        ],
        "capacity_charge": {"per_kw": 4.2, "period_end": "2026-02-01T00:00:00Z"},
    },
    "planner": {
        "change_cost": 0.01,
        "change_until": "2026-01-16T12:00:00+01:00",
        "previous": [
            {
                "id": "ev",
                "slots": [
                    {
                        "start": "2026-01-16T10:00:00Z",
                        "end": "2026-01-16T10:30:00Z",
                        "power_w": 7400,
                    }
                ],
            }
        ],
    },
    "devices": [
        {
            "id": "ev",
            "kind": "flexible",
            "max_power_w": 7400,
            "min_power_w": 1400,
            "demands": [{"energy_kwh": 3.7, "deadline": "2026-01-16T13:00:00Z"}],
        },
        {
            "id": "dishwasher",
            "kind": "program",
            "profile": [{"duration_s": 1200, "power_w": 2000}],
            "deadline": "2026-01-16T13:00:00Z",
        },
        {
            "id": "battery",
            "kind": "storage",
            "capacity_kwh": 10,
            "energy_kwh": 4,
            "max_charge_w": 5000,
            "max_discharge_w": 5000,
            "targets": [{"at": "2026-01-16T12:00:00Z", "energy_kwh": 8}],
            "available": [
                {
                    "start": "2026-01-16T10:00:00Z",
                    "end": "2026-01-16T12:00:00Z",
                    "arrives_kwh": None,
                }
            ],
        },
        {
            "id": "heat_pump",
            "kind": "thermal",
            "max_power_w": 3000,
            "temperature_c": 20.4,
            "capacity_kwh_per_c": 4.0,
            "cop": [[2, 3.0], [-7, 2.2]],
            "hygiene": {"by": "2026-01-17T10:00:00Z", "temp_c": 60, "hold_s": 3600},
            "comfort": [
                {
                    "start": "2026-01-16T10:00:00Z",
                    "end": "2026-01-16T12:00:00Z",
                    "min_c": 20,
                    "max_c": 22,
                }
            ],
        },
    ],
}
GONE = object()


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    """BASE with the values at dotted paths changed; GONE takes a key out."""
    document = copy.deepcopy(BASE)
    for path, value in changes:
        *way, last = path.replace("]", "").replace("[", ".").split(".")
        place: Any = document
        for key in way:
            place = place[int(key)] if isinstance(place, list) else place[key]
        if value is GONE:
            del place[last]
        elif isinstance(place, list):
            place[int(last)] = value
        else:
            place[last] = value
    return document


def paths_of(document: object) -> list[str]:
    with pytest.raises(Refusal) as caught:
        read_situation(document)
    return [fault.path for fault in caught.value.faults]


def test_numbers_are_the_decimals_of_the_text() -> None:
    text = json.dumps(BASE).replace('"price": 0.3', '"price": 0.30000000000000000000001')
    assert parse_situation(text).import_rates[0].price == Decimal("0.30000000000000000000001")


def test_every_kind_is_read_with_its_defaults() -> None:
    ev, dishwasher, battery, heat_pump = read_situation(BASE).devices
    assert isinstance(ev, Flexible)
    assert ev.demands[0].hard
    assert isinstance(dishwasher, Program)
    assert dishwasher.earliest is None
    assert isinstance(battery, Storage)
    assert battery.available is not None
    assert isinstance(heat_pump, Thermal)
    assert heat_pump.cop[0] == (Decimal(-7), Decimal("2.2"))
    assert heat_pump.block_max_s == 7200
    assert heat_pump.min_power_w == 0


def test_minimum_times_make_the_power_all_or_nothing() -> None:
    document = changed(("devices[0].min_on_s", 600), ("devices[0].min_power_w", GONE))
    device = read_situation(document).devices[0]
    assert isinstance(device, Flexible)
    assert device.min_power_w == 7400


def test_fractions_of_seconds_wait_for_now_and_hurry_for_deadlines() -> None:
    document = changed(
        ("now", "2026-01-16T09:59:59.250Z"),
        ("devices[0].demands[0].deadline", "2026-01-16T12:59:59.900Z"),
        ("devices[0].demands[0].earliest", "2026-01-16T10:00:00.100Z"),
    )
    situation = read_situation(document)
    assert (situation.now % 60, situation.now_fraction_us) == (0, 750_000)
    device = situation.devices[0]
    assert isinstance(device, Flexible)
    assert (device.demands[0].deadline or 0) % 60 == 59
    assert (device.demands[0].earliest or 0) % 60 == 1


def test_what_is_written_is_read_again() -> None:
    situation = read_situation(changed(("now", "2026-01-16T09:59:59.250Z")))
    document = json.loads(json.dumps(situation_document(situation)))
    assert read_situation(document) == situation


def test_unsorted_lists_are_sorted() -> None:
    document = changed(("import_rates", BASE["import_rates"][::-1]))
    assert read_situation(document) == read_situation(BASE)


HARD = "devices[0].demands[0]"


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("colour", 1, "colour"),
        (f"{HARD}.prio", 1, f"{HARD}.prio"),
        ("schema", "situation/2", "schema"),
        ("now", "2026-01-16T10:00:00", "now"),
        ("now", 5, "now"),
        ("timezone", "Europe/Nowhere", "timezone"),
        ("currency", "pounds", "currency"),
        ("import_rates[1].price", float("nan"), "import_rates[1].price"),
        ("import_rates[1].price", float("inf"), "import_rates[1].price"),
        ("import_rates[1].price", 10**30, "import_rates[1].price"),
        ("import_rates[1].price", -(10**10), "import_rates[1].price"),
        ("devices[0].max_power_w", 1e12, "devices[0].max_power_w"),
        ("devices[0].min_on_s", 10**9, "devices[0].min_on_s"),
        ("import_rates[1].price", True, "import_rates[1].price"),
        ("import_rates[1].price", "0.1", "import_rates[1].price"),
        ("import_rates[1].price", GONE, "import_rates[1].price"),
        ("import_rates[1].confidence", 1.2, "import_rates[1].confidence"),
        ("import_rates[1].end", "2026-01-16T11:00:00Z", "import_rates[1].end"),
        ("import_rates[1].start", "2026-01-16T10:30:00Z", "import_rates[1].start"),
        ("import_rates[1].start", "2026-01-16T11:00:00.5Z", "import_rates[1].start"),
        ("import_rates", {}, "import_rates"),
        ("import_rates[0]", 3, "import_rates[0]"),
        ("site", [], "site"),
        ("site.import_limit_w", -1, "site.import_limit_w"),
        ("site.capacity_charge.window_s", 1000, "site.capacity_charge.window_s"),
        ("devices[1].id", "ev", "devices[1].id"),
        ("devices[1].id", "Dish Washer", "devices[1].id"),
        ("devices[1].kind", "kettle", "devices[1].kind"),
        ("devices[1].profile", [], "devices[1].profile"),
        ("devices[1].deadline", GONE, "devices[1].deadline"),
        ("devices[1].earliest", "2026-01-16T13:30:00Z", "devices[1].deadline"),
        ("devices[1].started_at", "2026-01-16T10:30:00Z", "devices[1].started_at"),
        ("devices[0].max_power_w", 0, "devices[0].max_power_w"),
        ("devices[0].max_power_w", 1000, "devices[0].max_power_w"),
        ("devices[0].max_power_w", GONE, "devices[0].max_power_w"),
        ("devices[0].on_since", "2026-01-16T10:30:00Z", "devices[0].on_since"),
        ("devices[0].priority", 1.5, "devices[0].priority"),
        (f"{HARD}.energy_kwh", -1, f"{HARD}.energy_kwh"),
        (f"{HARD}.energy_kwh", None, f"{HARD}.energy_kwh"),
        (f"{HARD}.deadline", GONE, f"{HARD}.deadline"),
        (f"{HARD}.value_per_kwh", 0.2, f"{HARD}.value_per_kwh"),
        (f"{HARD}.hard", False, f"{HARD}.value_per_kwh"),
        (f"{HARD}.hard", "yes", f"{HARD}.hard"),
        (f"{HARD}.earliest", "2026-01-16T13:00:00Z", f"{HARD}.deadline"),
        ("devices[2].charge_efficiency", 0, "devices[2].charge_efficiency"),
        ("devices[2].max_kwh", -1, "devices[2].max_kwh"),
        ("devices[3].cop", [[1]], "devices[3].cop[0]"),
        ("devices[3].capacity_kwh_per_c", 0, "devices[3].capacity_kwh_per_c"),
        ("devices[3].comfort[0].max_c", 10, "devices[3].comfort[0].max_c"),
        ("devices[3].control", "magic", "devices[3].control"),
        ("devices[2].max_kwh", 30, "devices[2].max_kwh"),
        ("devices[2].available[0].arrives_kwh", 40, "devices[2].available[0].arrives_kwh"),
        ("devices[3].temperature_c", 400, "devices[3].temperature_c"),
        ("devices[3].temperature_c", -274, "devices[3].temperature_c"),
        ("devices[3].comfort[0].max_c", 400, "devices[3].comfort[0].max_c"),
        (
            "devices[3].outdoor",
            [{"start": "2026-01-16T10:00:00Z", "end": "2026-01-16T12:00:00Z", "temp_c": 400}],
            "devices[3].outdoor[0].temp_c",
        ),
        ("devices[3].hygiene.temp_c", 400, "devices[3].hygiene.temp_c"),
        ("devices[3].cop", [[2, 3], [7, 4], [2, 3.5]], "devices[3].cop[2].0"),
        ("now", "2026-01-16T11:00:00+0100", "now"),
        ("now", "2026-01-16T11:00:00+01", "now"),
        ("now", "20260116T100000Z", "now"),
        ("now", "2026-W03-5T10:00:00Z", "now"),
    ],
)
def test_refused_by_its_path(path: str, value: object, named: str) -> None:
    assert paths_of(changed((path, value))) == [named]


@pytest.mark.parametrize("key", ["start_cost", "min_on_s", "min_off_s"])
def test_a_device_on_at_one_watt_would_evade_minimum_times(key: str) -> None:
    document = changed((f"devices[0].{key}", 600), ("devices[0].min_power_w", 0))
    assert paths_of(document) == ["devices[0].min_power_w"]


def test_all_faults_at_once_each_with_what_was_found_and_what_is_right() -> None:
    document = changed(("colour", 1), ("import_rates[1].confidence", 1.2), ("now", "soon"))
    with pytest.raises(Refusal) as caught:
        read_situation(document)
    messages = {fault.path: fault.message for fault in caught.value.faults}
    assert set(messages) == {"colour", "import_rates[1].confidence", "now"}
    assert "1.2" in messages["import_rates[1].confidence"]
    assert "at most 1" in messages["import_rates[1].confidence"]
    assert "soon" in messages["now"]


def test_on_and_off_at_once() -> None:
    document = changed(
        ("devices[0].on_since", "2026-01-16T09:00:00Z"),
        ("devices[0].off_since", "2026-01-16T09:30:00Z"),
    )
    assert paths_of(document) == ["devices[0].off_since"]


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "\xff", "[" * 100_000])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        parse_situation(text)


def test_numbers_that_only_an_infinity_can_hold() -> None:
    text = json.dumps(BASE).replace('"price": 0.3', '"price": 1e999')
    with pytest.raises(Refusal) as caught:
        parse_situation(text)
    assert [fault.path for fault in caught.value.faults] == ["import_rates[0].price"]


@pytest.mark.parametrize(
    ("number", "price"),
    [
        ("0." + "1" * 31, Decimal("0." + "1" * 28)),
        ("0.0" + "1" * 5000, Decimal("0.0" + "1" * 28)),
        ("-12." + "1" * 5000, Decimal("-12." + "1" * 26)),
        ("0.00000" + "1" * 40, Decimal("0.00000" + "1" * 25)),
        ("1e-40", Decimal(0)),
        ("1e-999999999999999999999", Decimal(0)),
        ("0e999999999999999999999", Decimal(0)),
        ("-0", Decimal(0)),
        ("-0.0", Decimal(0)),
    ],
)
def test_digits_beyond_every_size_are_rounded_away(number: str, price: Decimal) -> None:
    text = json.dumps(BASE).replace('"price": 0.3', f'"price": {number}')
    assert parse_situation(text).import_rates[0].price == price


@pytest.mark.parametrize("key", ["price", "confidence"])
@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", "1e999999999999999999999", "1" * 5000, "-" + "1" * 5000]
)
def test_a_number_beyond_every_size_is_refused_by_its_path(key: str, number: str) -> None:
    text = json.dumps(BASE).replace('"price": 0.3', f'"price": 0.3, "{key}": {number}')
    with pytest.raises(Refusal) as caught:
        parse_situation(text)
    assert [fault.path for fault in caught.value.faults] == [f"import_rates[0].{key}"]


@pytest.mark.parametrize(
    ("text", "again", "named"),
    [
        ('"now":', '"now": "2026-01-16T09:00:00Z", "now":', "now"),
        ('"price": 0.3', '"price": 0.2, "price": 0.3', "import_rates[0].price"),
        ('"devices":', '"devices": [], "devices":', "devices"),
    ],
)
def test_a_key_that_stands_twice_is_refused(text: str, again: str, named: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_situation(json.dumps(BASE).replace(text, again, 1))
    assert [fault.path for fault in caught.value.faults] == [named]


def test_a_battery_outside_its_own_limits_is_no_mistake() -> None:
    document = changed(("devices[2].energy_kwh", 12), ("devices[2].max_kwh", 9))
    battery = read_situation(document).devices[2]
    assert isinstance(battery, Storage)
    assert battery.energy_kwh == 12


@pytest.mark.parametrize(
    "text", ["2026-01-16T10:00:00Z", "2026-01-16t11:00:00.0+01:00", "2026-01-16 10:00:00-00:00"]
)
def test_times_are_read_as_they_are_written_by_the_standard(text: str) -> None:
    assert read_situation(changed(("now", text))).now == read_situation(BASE).now


def test_a_document_that_others_hold_is_left_as_it_is() -> None:
    document = copy.deepcopy(BASE)
    first = read_situation(document)
    assert document == BASE
    assert read_situation(document) == first == parse_situation(json.dumps(BASE))


def test_overlaps_are_named_by_their_places_in_the_list_that_was_given() -> None:
    document = copy.deepcopy(BASE)
    document["import_rates"].append(
        {"start": "2026-01-16T10:30:00Z", "end": "2026-01-16T10:45:00Z", "price": 0.2}
    )
    with pytest.raises(Refusal) as refused:
        parse_situation(json.dumps(document))
    assert str(refused.value.faults[0]).startswith(
        "import_rates[2].start: begins before import_rates[0] ends"
    )
