"""Our own device contract: what comes in, what goes out, and how big it may be."""

import json
import random
from dataclasses import replace
from decimal import Decimal

import pytest

from agent.contracts.schedule_models import CompactSchedule
from agent.contracts.schedule_models import Schedule as ScheduleModel
from agent.contracts.schedule_models import Setpoint as SetpointModel
from agent.energy.readings import (
    Acknowledgement,
    AckStatus,
    DeviceInfo,
    Presence,
    Reading,
    Unreadable,
)
from agent.energy.schedule import (
    DefaultCommand,
    DeviceType,
    OfflineRule,
    Schedule,
    ScheduleSlot,
    Setpoint,
)
from agent.errors import Malformed
from agent.ports import Message, UnknownKeys, UntimedReading
from integrations.devices.native import NativeDevice, merge_adjacent
from integrations.firmware.follower import OWN, Follower

NOW = 1_768_521_600
EV = NativeDevice("flatpeak/home", "ev")
BASE = Schedule(
    device="ev",
    device_type=DeviceType.EVSE,
    revision=NOW,
    issued_at=NOW,
    valid_from=NOW - 300,
    valid_until=NOW + 172_800,
    currency="EUR",
    slots=(),
    default=DefaultCommand("idle", 0),
    offline=OfflineRule(900, "charge", 3700),
)


def slot(
    start: int, end: int, power: int = 7400, price: str = "0.1", mode: str = "charge"
) -> ScheduleSlot:
    energy = Decimal(power * (end - start)) / 3_600_000
    return ScheduleSlot(NOW + start, NOW + end, mode, power, energy, Decimal(price), "cheapest", 1)


def state(body: object) -> Message:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Message("flatpeak/home/device/ev/state", payload)


def test_a_state_with_a_time_is_readings_and_without_one_undated() -> None:
    dated = EV.decode(state({"plugged": True, "soc_percent": 42, "at": "2026-01-16T10:00:00Z"}))
    assert [type(item) for item in dated] == [Reading, Reading]
    assert EV.decode(state({"power_w": 7300.5})) == [UntimedReading("power_w", 7300.5)]


def test_unknown_keys_of_a_device_are_skipped_and_named() -> None:
    assert EV.decode(state({"power_w": 1, "soc": 40})) == [
        UntimedReading("power_w", 1.0),
        UnknownKeys(("soc",)),
    ]


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        ({"soc_percent": 101}, "soc_percent", "0 to 100"),
        ({"soc_percent": "full"}, "soc_percent", "expected a number"),
        ({"soc_percent": True}, "soc_percent", "expected a number"),
        ({"soc_percent": [40]}, "soc_percent", "a list"),
        ({"power_w": 1e300}, "power_w", "1e"),
        ({"plugged": "maybe"}, "plugged", "true or false"),
        ({"plugged": 7}, "plugged", "true or false"),
        ({"at": "yesterday"}, "at", "2026"),
        ({"at": "0001-01-01T00:00:00Z"}, "at", "2026"),
        ({"at": 1768521600}, "at", "2026"),
        (b'{"soc_percent": 1e999}', "soc_percent", "0 to 100"),
        (b'{"soc_percent": NaN}', "soc_percent", "0 to 100"),
        ({"mode": {"a": 1}}, "mode", "text"),
    ],
)
def test_a_key_that_cannot_be_read_is_named_and_the_others_count(
    body: object, kind: str, says: str
) -> None:
    message = state(body)
    whole = message.payload.rstrip()[:-1] + b', "energy_kwh": 3}'
    items = EV.decode(Message(message.topic, whole))
    assert UntimedReading("energy_kwh", 3.0, misdated=kind == "at") in items
    [bad] = [item for item in items if isinstance(item, Unreadable)]
    assert (bad.kind, says in bad.why) == (kind, True)


@pytest.mark.parametrize(
    ("body", "reading"),
    [
        ({"soc_percent": "45"}, UntimedReading("soc_percent", 45.0)),
        ({"soc_percent": " 4.5e1 "}, UntimedReading("soc_percent", 45.0)),
        ({"energy_kwh": "7.3599999999999994"}, UntimedReading("energy_kwh", 3.2 * 2.3)),
        ({"energy_kwh": "0.30000000000000004"}, UntimedReading("energy_kwh", 0.1 + 0.2)),
        ({"energy_kwh": "0." + "1" * 55}, UntimedReading("energy_kwh", float("0." + "1" * 55))),
        ({"plugged": "on"}, UntimedReading("plugged", True)),
        ({"plugged": 0}, UntimedReading("plugged", False)),
        ({"error": None}, UntimedReading("error", "")),
        ({"error": ""}, UntimedReading("error", "")),
        ({"error": 0}, UntimedReading("error", "")),
        ({"error": "0"}, UntimedReading("error", "")),
        ({"error": False}, UntimedReading("error", "")),
        ({"error": "None"}, UntimedReading("error", "")),
        ({"error": 7}, UntimedReading("error", "7")),
        ({"error": "E7\n\u0000!"}, UntimedReading("error", "E7 !")),
        (b'{"error": "\\ud800"}', UntimedReading("error", "?")),
    ],
)
def test_what_is_meant_is_read(body: object, reading: UntimedReading) -> None:
    assert EV.decode(state(body)) == [reading]


def test_null_is_not_told() -> None:
    assert EV.decode(state({"soc_percent": None, "plugged": None})) == []


def test_what_a_device_says_it_is() -> None:
    body = {"maker": "Acme", "firmware": 3, "max_power_w": "7400", "phases": 3, "min_power_w": "x"}
    message = Message("flatpeak/home/device/ev/info", json.dumps(body).encode())
    info = DeviceInfo(maker="Acme", firmware="3", max_power_w=7400.0, phases=3)
    assert EV.decode(message) == [info]
    assert EV.decode(Message("flatpeak/home/device/ev/status", b"offline")) == [Presence(False)]
    with pytest.raises(Malformed, match="online or offline"):
        EV.decode(Message("flatpeak/home/device/ev/status", b"gone"))


def test_an_acknowledgement() -> None:
    message = Message(
        "flatpeak/home/device/ev/ack", b'{"revision":7,"status_type":"ACCEPTED","diagnostic":""}'
    )
    assert EV.decode(message) == [Acknowledgement(7, AckStatus.ACCEPTED, "")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b"\xff\xfe",
        b'{"error": "' + b"x" * 3000 + b'"}',
    ],
)
def test_what_makes_no_sense_is_malformed_and_short(body: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        EV.decode(state(body))
    assert len(str(caught.value)) < 500


def test_touching_slots_of_equal_power_are_one_at_their_mean_price() -> None:
    one = merge_adjacent([slot(0, 3600, price="0.10"), slot(3600, 10_800, price="0.16")])
    assert len(one) == 1
    assert one[0].price == Decimal("0.14")
    assert one[0].energy_kwh == Decimal("22.2")


def test_every_form_is_what_its_model_says_and_compact_json() -> None:
    made = replace(BASE, slots=(slot(0, 3600), slot(7200, 9000, 3700)))
    full, compact = EV.encode_schedule(made)
    assert full.topic == "flatpeak/home/device/ev/schedule"
    ScheduleModel.model_validate_json(full.payload)
    CompactSchedule.model_validate_json(compact.payload)
    assert " " not in full.payload
    begins = f'{{"r":{NOW},"s":{NOW - 300},"u":"W","p":[[300,7400],[3900,0]'
    assert compact.payload.startswith(begins)
    point = Setpoint(
        NOW, NOW, "charge", 7400, NOW + 60, BASE.default, BASE.offline, "cheapest", 32, 1
    )
    [message] = EV.encode_setpoint(point)
    SetpointModel.model_validate_json(message.payload)
    assert len(message.payload) <= 512
    assert message.expires_at == NOW + 60 + 7 * 86_400


def test_withdrawing_empties_the_forms_in_their_order() -> None:
    topics = [message.topic.removeprefix("flatpeak/home/device/ev/") for message in EV.withdraw()]
    assert topics == ["schedule", "schedule/compact", "setpoint"]
    assert not any(message.payload for message in EV.withdraw())


def test_a_schedule_too_long_is_cut_at_the_end_for_all_forms_alike() -> None:
    many = tuple(slot(n * 1200, n * 1200 + 600, 7400 + n) for n in range(140))
    cut = EV.fit(replace(BASE, slots=many))
    assert 10 < len(cut.slots) < 140
    assert cut.valid_until == many[len(cut.slots)].start
    full, compact = EV.encode_schedule(cut)
    assert len(full.payload.encode()) <= 8192
    body = json.loads(compact.payload)
    assert len(compact.payload) <= 1000
    assert len(body["p"]) <= 64
    assert body["s"] + body["e"] == cut.valid_until


def test_whatever_its_revision_a_schedule_that_fits_goes_on_to_fit() -> None:
    """The revision is given after it was cut; a byte too many and the device refuses it."""
    for longer in range(160):
        many = tuple(
            replace(
                slot(n * 900, n * 900 + 900, 1400 + n % 2),
                reason="store_ahead",
                price=Decimal("0.12345") if n >= longer // 3 else Decimal("0.1234567"),
                energy_kwh=Decimal("0.3512345"[: 5 + longer % 3]),
            )
            for n in range(90)
        )
        cut = EV.fit(replace(BASE, revision=0, slots=many))
        assert len(cut.slots) < 63
        full, compact = EV.encode_schedule(replace(cut, revision=2**32 - 1))
        assert len(full.payload.encode()) <= 8192
        assert len(compact.payload.encode()) <= 1000


@pytest.mark.parametrize(
    ("kind", "modes"),
    [
        (DeviceType.SPACE_HEATING, ["block", "normal", "boost", "force"]),
        (DeviceType.PROGRAM, ["idle", "run"]),
    ],
)
def test_modes_are_numbered_from_one(kind: DeviceType, modes: list[str]) -> None:
    for number, mode in enumerate(modes, start=1):
        made = replace(
            BASE,
            device_type=kind,
            slots=(slot(0, 60, mode=mode),),
            default=DefaultCommand(modes[1], 0),
            offline=OfflineRule(900, modes[1], 0),
        )
        body = json.loads(EV.encode_schedule(made)[1].payload)
        assert body["u"] == "M"
        assert body["p"][0] == [300, number]
        assert body["d"] == 2


def test_what_firmware_reads_is_what_the_schedule_says_second_by_second() -> None:
    rng = random.Random(3)
    for _ in range(40):
        edges = sorted(rng.sample(range(8000), 10))
        slots = tuple(
            slot(a, b, rng.choice([1400, 7400]))
            for a, b in zip(edges[::2], edges[1::2], strict=True)
        )
        made = EV.fit(replace(BASE, slots=slots))
        follower = Follower()
        assert follower.take(EV.encode_schedule(made)[1].payload.encode(), NOW, 0) == "ACCEPTED"
        for second in range(-300, 8200, 7):
            held = made.slot_at(NOW + second)
            assert follower.value(NOW + second, 10) == (held.power_w if held else 0)


def test_release_leaves_the_device_to_itself() -> None:
    made = replace(BASE, device_type=DeviceType.FLEXIBLE, offline=OfflineRule(0, "release", 0))
    follower = Follower()
    follower.take(EV.encode_schedule(made)[1].payload.encode(), NOW, 0)
    assert follower.value(made.valid_until, 10) == OWN


def says(device: NativeDevice, body: object, *, retain: bool = False) -> object:
    """What a state says of its error, None where it says nothing."""
    message = Message("flatpeak/home/device/ev/state", json.dumps(body).encode(), retain)
    found = [item for item in device.decode(message) if getattr(item, "kind", "") == "error"]
    assert len(found) <= 1
    return found[0].value if found and isinstance(found[0], Reading | UntimedReading) else None


def test_an_error_that_is_left_out_is_over() -> None:
    device = NativeDevice("flatpeak/home", "ev")
    assert says(device, {"plugged": True}) is None
    assert says(device, {"plugged": True, "error": "E42"}) == "E42"
    assert says(device, {"plugged": True}) == ""
    assert says(device, {"plugged": True}) is None


def test_a_piece_of_the_state_says_nothing_of_an_error() -> None:
    device = NativeDevice("flatpeak/home", "ev")
    assert says(device, {"plugged": True, "power_w": 0, "error": "E42"}) == "E42"
    assert says(device, {"power_w": 0}) is None
    assert says(device, {"power_w": 0, "plugged": False, "soc_percent": 40}) == ""
    # One that tells it alone ends it alone.
    assert says(device, {"error": "E43"}) == "E43"
    assert says(device, {"power_w": 0, "plugged": True}) is None
    assert says(device, {"error": None}) == ""


def test_an_error_that_ended_while_the_agent_was_away_is_over() -> None:
    device = NativeDevice("flatpeak/home", "ev")
    assert says(device, {"plugged": True}, retain=True) == ""
    assert says(device, {"plugged": True}, retain=True) is None
