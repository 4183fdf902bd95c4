"""What is right key by key and wrong together: each fault at its key, with what would be right."""

from pathlib import Path

import pytest

from agent.errors import ConfigError
from integrations.registry import load_config

FIXED = "tariff: {source: fixed, timezone: Europe/Berlin, currency: EUR, import: 0.3}\n"
LOAD = "type: load, power_w: 800, needs: [{hours: 1}]"
PUMP = "type: heat_pump, power_w: 2000, needs: [{hours: 3}]"
SHELLY = "adapter: {family: shelly, topic: plug"
CAR = "id: ev, type: ev_charger, energy_kwh: 9"
HOUSE = "id: h, type: house_heat_pump"


def faults(folder: Path, text: str) -> list[str]:
    path = folder / "config.yaml"
    path.write_text((FIXED if "tariff:" not in text else "") + text)
    try:
        load_config(path)
    except ConfigError as error:
        return [str(fault) for fault in error.faults]
    return []


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        (
            f"{{id: a, {PUMP}, "
            "adapter: {family: sg-ready-shelly, topic: t, first: 0, second: 0}}",
            "devices[0].adapter.second: is 0; expected another than first: both are t/switch:0",
        ),
        (
            f"{{id: a, {PUMP}, adapter: {{family: sg-ready-tasmota, topic: t, first: 2}}}}",
            "devices[0].adapter.second: is 2; expected another than first: both are t/POWER2",
        ),
        (
            f"{{id: a, {LOAD}, {SHELLY}}}}}, {{id: b, {LOAD}, {SHELLY}, channel: 0}}}}",
            "devices[1].adapter.channel: is 0; plug/switch:0 is switched for devices[0] (a)",
        ),
        (
            # Two families that speak to the same relay.
            f"{{id: a, {LOAD}, {SHELLY}, channel: 1}}}}, "
            f"{{id: b, {PUMP}, adapter: {{family: sg-ready-shelly, topic: plug}}}}",
            "devices[1].adapter.second: is 1; plug/switch:1 is switched for devices[0] (a) already",
        ),
        (
            f"{{id: a, {LOAD}, adapter: {{family: zigbee2mqtt, topic: t}}}}, "
            f"{{id: b, {LOAD}, adapter: {{family: zigbee2mqtt, topic: t}}}}",
            "devices[1].adapter.topic: is 't'; zigbee2mqtt/t is switched for devices[0] (a)",
        ),
        (
            "{id: a, type: ev_charger, max_power_w: 7400, energy_kwh: 9, "
            "adapter: {family: evcc, loadpoint: 1}}, "
            "{id: b, type: ev_charger, max_power_w: 7400, energy_kwh: 9, "
            "adapter: {family: evcc, loadpoint: 1}}",
            "devices[1].adapter.loadpoint: is 1; evcc/loadpoints/1 is switched for devices[0] (a)",
        ),
    ],
)
def test_nothing_is_switched_for_two(tmp_path: Path, devices: str, said: str) -> None:
    [found] = faults(tmp_path, f"devices: [{devices}]\n")
    assert found.startswith(said)


@pytest.mark.parametrize(
    "devices",
    [
        f"{{id: a, {LOAD}, {SHELLY}}}}}, {{id: b, {LOAD}, {SHELLY}, channel: 1}}}}",
        # Who only reads switches nothing.
        f"{{id: a, {LOAD}, {SHELLY}}}}}, {{id: m, type: meter, role: pv, {SHELLY}}}}}",
        f"{{id: a, {LOAD}}}, {{id: b, {LOAD}}}",
        f"{{id: a, {PUMP}, adapter: {{family: sg-ready-shelly, topic: t, first: 1, second: 0}}}}",
    ],
)
def test_what_belongs_together_is_let_be(tmp_path: Path, devices: str) -> None:
    assert faults(tmp_path, f"devices: [{devices}]\n") == []


def test_every_fault_between_sections_comes_at_once(tmp_path: Path) -> None:
    sun = "needs: [{hours: 1, window: {start: sunrise, end: '12:00'}}]"
    text = (
        "site: {pv: {peak_w: 6000}, controllable_devices: [tank]}\n"
        f"devices: [{{id: a, {LOAD}}}, {{id: pool, type: load, power_w: 800, {sun}}}, "
        f"{{id: a, {LOAD}}}]\n"
    )
    assert faults(tmp_path, text) == [
        "devices[2].id: is 'a'; expected a name of its own, devices[0] has this one",
        "site.controllable_devices[0]: is 'tank'; no device is called so; expected some of "
        "a, pool, a",
        "site.pv: site.latitude and site.longitude are needed for it",
        "devices[1].needs[0].window.start: is 'sunrise'; site.latitude and site.longitude are "
        "needed for pool's window",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "site: {latitude: 51}",
            "site.longitude: is missing; latitude and longitude are given together or not at all",
        ),
        (
            "mqtt: {tls: {ca_file: /ca.pem}}",
            "mqtt.tls.enabled: is missing; without it ca_file does nothing: expected enabled: true",
        ),
        ("mqtt: {tls: {enabled: false, ca_file: /ca.pem}}", None),
        (
            "web: {certificate_file: cert.pem, key_file: /k}",
            "web.certificate_file: is 'cert.pem'; expected a whole path such as "
            "/etc/flatpeak-agent/cert.pem, beginning with /",
        ),
        ("web: {key_file: /k}", "web.certificate_file: is missing; certificate_file and key_file"),
        (
            "tariff: {source: flatpeak, account_id: sk_live_topsecret, api_key: sk_live_x}",
            "tariff.account_id: this is an API key (sk_…); expected the account (acc_…)",
        ),
        (
            "tariff: {source: flatpeak, account_id: a, api_key: acc_x}",
            "tariff.api_key: this is an account (acc_…); expected an API key (sk_…)",
        ),
        (
            "devices: [{id: z, type: load, power_w: 9, needs: [{hours: 1}], "
            "adapter: {family: zigbee2mqtt, topic: t, on_time_s: 60}}]",
            "devices[0].adapter.on_time_s: is 60; expected at least 900",
        ),
        (
            "devices: [{id: b, type: battery, capacity_kwh: 5, max_charge_w: 500, "
            "max_discharge_w: 500, min_soc_percent: 60, max_soc_percent: 50}]",
            "devices[0].max_soc_percent: is 50.0; expected more than the 60 % that",
        ),
        (
            f"devices: [{{{CAR}, max_power_w: 7400, floor_soc_percent: 90}}]",
            "devices[0].floor_soc_percent: is 90.0; expected at most target_soc_percent, 80",
        ),
        (
            f"devices: [{{{HOUSE}, power_w: 3000, setback: {{min_c: 22, max_c: 20}}}}]",
            "devices[0].setback.min_c: is 22.0; expected less than max_c, 20",
        ),
        (
            f"devices: [{{{HOUSE}, power_w: 3000, min_power_w: 900}}]",
            "devices[0].min_power_w: is 900; it goes with control: power",
        ),
    ],
)
def test_keys_that_do_not_go_together(tmp_path: Path, text: str, said: str | None) -> None:
    found = faults(tmp_path, f"{text}\n")
    assert len(found) == (said is not None), found
    assert not said or found[0].startswith(said)
    assert "topsecret" not in str(found)


@pytest.mark.parametrize(
    ("device", "said"),
    [
        (
            f"{CAR}, phases: 3, max_power_w: 11",
            "max_power_w: is 11; expected at least 4140, 6 A on 3 phase(s); powers are in W: "
            "11 kW are 11000",
        ),
        (
            f"{CAR}, max_power_w: 11 kW",
            "max_power_w: is '11 kW'; expected a whole number, without a unit; it is in W: "
            "11 kW are 11000",
        ),
        (
            "id: p, type: load, power_w: 0.8, needs: [{hours: 1}]",
            "power_w: is 0.8; expected a whole number; it is in W: 0.8 kW are 800",
        ),
        (
            "id: t, type: water_heater, power_w: 2, needs: [{energy_kwh: 4}]",
            "needs[0].energy_kwh: is 4.0; expected at most 0.048, what 2 W of power_w give in a "
            "day; powers are in W: 2 kW are 2000",
        ),
        (
            f"{CAR}, max_power_w: 7400, offline_power_w: 2",
            "offline_power_w: is 2; expected 0 or at least 1380, 6 A; powers are in W: "
            "2 kW are 2000",
        ),
        (
            "id: p, type: load, power_w: 800, min_on_s: 15 min, needs: [{hours: 1}]",
            "min_on_s: is '15 min'; expected a whole number, without a unit; it is in seconds: "
            "15 min are 900",
        ),
        (
            f"{CAR}, max_power_w: 7400, battery_kwh: 58 kWh",
            "battery_kwh: is '58 kWh'; expected a number such as 0.25, without a unit; "
            "it is in kWh: 58 kWh are 58",
        ),
        (
            f"{CAR}, max_power_w: 7400, target_soc_percent: '80 %'",
            "target_soc_percent: is '80 %'; expected a number such as 2.5, without a unit; it is "
            "in percent: 80 % are 80",
        ),
        (
            f"{HOUSE}, power_w: 3",
            "comfort[0].min_c: is 20.0; 3 W of power_w warm this house to",
        ),
    ],
)
def test_another_unit_than_the_keys_is_said_with_what_was_meant(
    tmp_path: Path, device: str, said: str
) -> None:
    found = faults(tmp_path, f"devices: [{{{device}}}]\n")
    assert found[0].startswith(f"devices[0].{said}"), found
    assert "power_w: 3" not in device or found[0].endswith("powers are in W: 3 kW are 3000")
