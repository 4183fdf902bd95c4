"""The loader: file, environment, secret files, and what it says of each mistake."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from agent.config import Config
from agent.energy.rates import Direction
from agent.errors import ConfigError
from agent.home.kinds.ev_charger import EvCharger
from agent.home.kinds.house_heat_pump import HouseHeatPump
from agent.home.kinds.switched import Switched
from integrations.registry import load_config
from integrations.tariffs.fixed_settings import FixedConfig
from integrations.tariffs.flatpeak_settings import FlatPeakConfig

SMALL = """
tariff: {source: fixed, timezone: Europe/Berlin, currency: EUR, import: 0.3}
"""
FLATPEAK = """
tariff: {source: flatpeak, location_id: loc_1, account_id: acc_1, api_key: sk_live_topsecret}
mqtt: {username: agent, password: hunter2}
devices:
  - {id: ev, type: ev_charger, max_power_w: 11000, phases: 3, battery_kwh: 60}
"""
DAYS_OF = {
    "comfort": "devices: [{{id: h, type: house_heat_pump, power_w: 3000, comfort: "
    '[{{start: "06:00", end: "22:00", min_c: 20, max_c: 22, days: {}}}]}}]\n',
    "window": "devices: [{{id: p, type: load, power_w: 800, needs: "
    "[{{hours: 1, window: {{days: {}}}}}]}}]\n",
}
SECRETS = ("topsecret", "hunter2")


def load(folder: Path, text: str) -> Config:
    path = folder / "config.yaml"
    path.write_text(text)
    return load_config(path)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    said = [str(fault) for fault in caught.value.faults]
    shown = repr(caught.value) + str(caught.value) + "".join(said)
    chain: BaseException | None = caught.value
    while chain is not None:
        shown += str(chain)
        chain = chain.__cause__
    for secret in SECRETS:
        assert secret not in shown
    return said


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    config = load(tmp_path, SMALL)
    assert config.base_topic == "flatpeak/home"
    assert isinstance(config.tariff, FixedConfig)


def test_the_environment_comes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = {"id": "car", "type": "ev_charger", "max_power_w": 7400, "energy_kwh": 12.5}
    for key, value in {
        "MQTT__HOST": "broker.lan",
        "MQTT__PORT": "8883",
        "MQTT__TLS__ENABLED": "true",
        "MQTT__TLS__CA_FILE": "/etc/ca.pem",
        "TARIFF__API_KEY": "sk_live_other",
        "TARIFF__DIRECTIONS": '["import", "export"]',
        "SITE__IMPORT_LIMIT_W": "9000",
        "DEVICES": json.dumps([device]),
    }.items():
        monkeypatch.setenv(f"FLATPEAK_AGENT__{key}", value)
    config = load(tmp_path, FLATPEAK)
    assert (config.mqtt.host, config.mqtt.port, config.mqtt.tls.enabled) == (
        "broker.lan",
        8883,
        True,
    )
    assert config.mqtt.tls.ca_file == Path("/etc/ca.pem")
    assert config.mqtt.username == "agent"
    assert config.site.import_limit_w == 9000
    assert isinstance(config.tariff, FlatPeakConfig)
    assert config.tariff.directions == (Direction.IMPORT, Direction.EXPORT)
    assert config.tariff.api_key.get_secret_value() == "sk_live_other"
    assert config.tariff.account_id == "acc_1"
    [car] = config.devices
    assert isinstance(car, EvCharger)
    assert (car.id, car.energy_kwh) == ("car", Decimal("12.5"))


def test_prices_and_lists_from_the_environment_are_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [{"price": 0.1, "from": "22:00", "to": "06:00"}, {"price": 0.4}]
    monkeypatch.setenv("FLATPEAK_AGENT__TARIFF__IMPORT", json.dumps(rules))
    monkeypatch.setenv("FLATPEAK_AGENT__TARIFF__EXPORT", "0.07")
    config = load(tmp_path, SMALL)
    assert isinstance(config.tariff, FixedConfig)
    assert [rule.price for rule in config.tariff.import_rules] == [Decimal("0.1"), Decimal("0.4")]
    assert [rule.price for rule in config.tariff.export_rules] == [Decimal("0.07")]


def test_a_wrong_environment_is_a_fault_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATPEAK_AGENT__MQTT__PORT", "many")
    monkeypatch.setenv("FLATPEAK_AGENT__MQTT__HOTS", "x")
    said = faults(tmp_path, SMALL)
    assert any(line.startswith("mqtt.port: is 'many'; ") for line in said)
    assert any(
        line.startswith("mqtt.hots: unknown key; did you mean host? allowed: ") for line in said
    )
    # Nobody would look for these in the file.
    assert all(line.endswith(f"(from FLATPEAK_AGENT__MQTT__{line[5:9].upper()})") for line in said)
    monkeypatch.setenv("FLATPEAK_AGENT__DEVICES", "[{topsecret")
    [not_json, *others] = faults(tmp_path, SMALL)
    assert not_json.startswith("devices: is no JSON; ")
    assert others == said
    monkeypatch.setenv("FLATPEAK_AGENT__DEVICES__0__POWER_W", "11")
    monkeypatch.delenv("FLATPEAK_AGENT__DEVICES")
    assert faults(tmp_path, SMALL)[-1] == (
        'devices: expected a list, as JSON: ["a", "b"] or [{"key": 1}], all of it in one '
        "(from FLATPEAK_AGENT__DEVICES__0__POWER_W)"
    )
    monkeypatch.delenv("FLATPEAK_AGENT__DEVICES__0__POWER_W")
    monkeypatch.setenv("FLATPEAK_AGENT__DEVICES", "ev")
    assert faults(tmp_path, SMALL)[-1] == (
        'devices: expected a list, as JSON: ["a", "b"] or [{"key": 1}] '
        "(from FLATPEAK_AGENT__DEVICES)"
    )


def test_secrets_come_from_systemds_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "tariff__api_key").write_text("sk_live_from_file\n")
    (folder / "mqtt__password").write_text("from file\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    config = load(tmp_path, FLATPEAK)
    assert isinstance(config.tariff, FlatPeakConfig)
    assert config.tariff.api_key.get_secret_value() == "sk_live_from_file"
    assert config.mqtt.password is not None
    assert config.mqtt.password.get_secret_value() == "from file"
    assert config.mqtt.username == "agent"
    monkeypatch.setenv("FLATPEAK_AGENT__MQTT__PASSWORD", "from environment")
    again = load(tmp_path, FLATPEAK).mqtt.password
    assert again is not None
    assert again.get_secret_value() == "from environment"


def test_other_credentials_of_the_service_are_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "mqtt-ca.pem").write_text("PEM")
    (folder / "mqtt__password").write_text("from file")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert load(tmp_path, FLATPEAK).mqtt.password is not None


@pytest.mark.parametrize(
    "text",
    [
        FLATPEAK.replace("mqtt: {", "mqtt: {port: 0, "),
        FLATPEAK.replace("source: flatpeak", "source: flatpek"),
        FLATPEAK.replace("api_key", "apikey"),
        FLATPEAK.replace("password", "passwd"),
        FLATPEAK.replace("sk_live_topsecret", "[sk_live_topsecret]"),
        FLATPEAK.replace("hunter2", "{hunter2: 1}"),
        FLATPEAK.replace("{source: flatpeak", "{auth: bearer, source: flatpeak"),
        FLATPEAK.replace(
            "{source: flatpeak", "{base_url: 'https://me:hunter2@x', source: flatpeak"
        ),
        FLATPEAK + "mqtt: {password: hunter2}\n",
        FLATPEAK.replace("mqtt: {", "mqtt: {password: other, "),
        "tariff: sk_live_topsecret\nmqtt: hunter2\n",
        "mqtt: mqtt://agent:hunter2@broker\n" + SMALL,
        "sk_live_topsecret",
        "- hunter2",
        "tariff: {api_key: sk_live_topsecret\nmqtt: [hunter2",
        FLATPEAK.replace("battery_kwh: 60", "battery_kwh: 0"),
    ],
)
def test_no_message_tells_a_secret(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text)


def test_a_config_does_not_print_its_secrets(tmp_path: Path) -> None:
    config = load(tmp_path, FLATPEAK)
    for text in (repr(config), str(config), config.model_dump_json()):
        assert not any(secret in text for secret in SECRETS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "site: {timezone: Berlin}",
            "site.timezone: is 'Berlin'; did you mean Europe/Berlin? expected a time zone such as",
        ),
        ("site: {timezone: CEST}", "site.timezone: is 'CEST'; expected a time zone such as"),
        ("site: {idd: x}", "site.idd: unknown key; did you mean id? allowed: id, timezone"),
        ("tarif: {}", "tarif: unknown key; did you mean tariff? allowed: site, "),
        ("site: {id: My House}", "site.id: is 'My House'; expected at most 32 small letters"),
        ("mqtt: {tls: {ca: x}}", "mqtt.tls.ca: unknown key; allowed: enabled, ca_file"),
        ("mqtt: {base: 'a b'}", "mqtt.base: is 'a b'; expected letters, digits"),
        ("mqtt: {client_id: 'a b'}", "mqtt.client_id: is 'a b'; expected at most 64 letters"),
        ("site: {outdoor_topic: 'a/#'}", "site.outdoor_topic: is 'a/#'; expected the whole topic"),
        ("homeassistant: {prefix: /ha/}", "homeassistant.prefix: is '/ha/'; expected as it stands"),
        ("homeassistant: {birth_topic: ''}", "homeassistant.birth_topic: is ''; expected as it st"),
        ("site: {longitude: 0, pv: {peak_w: 6, 5}}", "site.pv[5]: is 5; a key is text; a decimal"),
        ("mqtt: {protocol: 4}", "mqtt.protocol: is 4; expected 'auto', '5' or '3.1.1'"),
        (
            "mqtt: {tls: {enabled: true, key_file: /k}}",
            "mqtt.tls.certificate_file: is missing; certificate_file and",
        ),
        ("devices: {}", "devices: expected a list"),
        ("mqtt: {port: true}", "mqtt.port: is 'true'; expected a whole number"),
        (
            "devices: [{id: a, type: ev_charger, max_power_w: 7400, energy_kwh: 9, phases: yes}]",
            "devices[0].phases: is 'yes'; expected 1, 3 or 'switched'",
        ),
        (
            "devices: [{id: a, type: ev_charger, max_power_w: 7400, energy_kwh: 9, phases: true}]",
            "devices[0].phases: is 'true'; expected 1, 3 or 'switched'",
        ),
        (
            "devices: [{id: a, type: ev_charger, adapter: x, max_power_w: 7400, energy_kwh: 9}]",
            "devices[0].adapter.family: is 'x'; expected native, home_assistant, esphome",
        ),
        (
            "devices: [{id: a, type: load, power_w: 1, needs: [{hours: 1}], "
            "adapter: {family: shely, topic: a}}]",
            "devices[0].adapter.family: is 'shely'; did you mean shelly?",
        ),
        (
            "devices: [{id: a, type: load, power_w: 1, needs: [{hours: 1}], "
            "adapter: {family: shelly}}]",
            "devices[0].adapter.topic: is missing",
        ),
        (
            "devices: [{id: a, type: load, power_w: 1, needs: [{hours: 1}], "
            "adapter: {family: shelly, topic: a/#}}]",
            "devices[0].adapter.topic: is 'a/#'; expected one exact topic",
        ),
        (
            "devices: [{id: a, type: load, power_w: 1, needs: [{hours: 1}], "
            "adapter: {family: shelly, topic: a, chanel: 1}}]",
            "devices[0].adapter.chanel: unknown key; did you mean channel?",
        ),
        (
            "devices: [{id: a, type: load, power_w: 1, needs: [{hours: 1}], "
            "adapter: {family: go-e, topic: a}}]",
            "devices[0]: adapter: go-e speaks to ev_charger, not to load",
        ),
        (
            "devices: [{id: a, type: toaster}]",
            "devices[0].type: is 'toaster'; expected ev_charger, heat_pump, water_heater, load, ",
        ),
        (
            "devices: [{id: a, type: house_heatpump}]",
            "devices[0].type: is 'house_heatpump'; did you mean house_heat_pump? expected ev_ch",
        ),
        (
            "state: {directory: ~/data}",
            "state.directory: is '~/data'; expected a whole path such as",
        ),
        ("mqtt: {tls: {ca_file: ca.pem}}", "mqtt.tls.ca_file: is 'ca.pem'; expected a whole path"),
        ("devices: [ev]", "devices[0]: expected a section"),
        ("mqtt: {port: 70000}", "mqtt.port: is 70000; expected at most 65535"),
        ("mqtt: {host: 'mqtt://broker'}", "mqtt.host: is 'mqtt://broker'; expected a name or addr"),
        ("mqtt: {host: 'broker:1883'}", "mqtt.host: is 'broker:1883'; expected a name or address"),
        (
            "devices: [{id: a, type: program, profile: [{duration_s: 1, power_w: 1}], "
            "ready_by: {Mon: '07:00'}}]",
            "devices[0].ready_by.Mon: unknown key; did you mean mon?",
        ),
        (
            "devices: [{id: a, type: program, profile: [{duration_s: 1, power_w: 1}], "
            "ready_by: {exceptions: {2026-02-30: '07:00'}}}]",
            "devices[0].ready_by.exceptions.2026-02-30: is '2026-02-30'; expected a date such as",
        ),
        ("devices: [{id: a, type: program, profile: []}]", "devices[0].profile: expected a list"),
        ("mqtt: 7", "mqtt: expected a section"),
        (
            "devices: [{id: a, type: load, power_w: 1, needs: [{hours: 1, window: {begin: x}}]}]",
            "devices[0].needs[0].window.begin: unknown key; allowed: start, end, days",
        ),
        (
            "devices: [{id: a, type: load, power_w: 1, needs: [{hours: 1, window: {end: 1350}}]}]",
            "devices[0].needs[0].window.end: is 1350; expected a clock time such as",
        ),
        (
            "devices: [{id: a, type: program, profile: [{duration_s: 1, power_w: 1}], "
            "ready_by: {mon: '24:00'}}]",
            "devices[0].ready_by.mon: is '24:00'; expected a clock time in quotes",
        ),
        (
            "devices: [{id: a, type: ev_charger, max_power_w: 900, energy_kwh: 1}]",
            "devices[0].max_power_w: is 900; expected at least 1380, 6 A on 1 phase(s)",
        ),
        (
            "devices: [{id: a, type: load, power_w: 1, needs: [{hours: 1}]}, "
            "{id: a, type: load, power_w: 1, needs: [{hours: 1}]}]",
            "devices[1].id: is 'a'; expected a name of its own, devices[0] has this one",
        ),
    ],
)
def test_a_fault_names_key_value_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    found = faults(tmp_path, SMALL + text)
    assert len(found) == 1, found
    assert found[0].startswith(said), found


@pytest.mark.parametrize("watts", [-5, 0])
def test_whatever_lies_below_a_bound_is_told_the_same_bound(tmp_path: Path, watts: int) -> None:
    ev = f"devices: [{{id: ev, type: ev_charger, max_power_w: {watts}, energy_kwh: 9}}]\n"
    site = f"site: {{failsafe_limit_w: {watts}}}\n"
    for said in faults(tmp_path, SMALL + ev + site):
        assert f"is {watts}; expected more than 0" in said
        assert "at least" not in said


def test_a_section_that_is_none_is_told_with_an_example(tmp_path: Path) -> None:
    ev = (
        'devices: [{id: ev, type: ev_charger, max_power_w: 7400, energy_kwh: 9, ready_by: "07:00"}]'
    )
    assert faults(tmp_path, SMALL + ev) == [
        "devices[0].ready_by: is '07:00'; expected keys of its own, such as {every_day: \"07:00\"}"
    ]
    pump = "devices: [{id: p, type: load, power_w: 800, needs: [{hours: 3, window: night}]}]"
    assert faults(tmp_path, SMALL + pump) == [
        "devices[0].needs[0].window: is 'night'; expected keys of its own, such as "
        '{start: "22:00", end: "06:00"}'
    ]


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    text = "site: {id: A, latitude: 91, colour: red}\nmqtt: {port: -1, keepalive_s: 1}\nx: 1\n"
    found = faults(tmp_path, SMALL + text)
    assert [line.partition(":")[0] for line in found] == [
        "site.id",
        "site.latitude",
        "site.colour",
        "mqtt.port",
        "mqtt.keepalive_s",
        "x",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "line 1"),
        ("site:\n  id: x\n bad", "line 3"),
        ("- 1", "no sections"),
        ("just words", "no sections"),
        ("1: 2", "no sections"),
        ("site: {id: a}\nsite: {id: b}\n", "line 2, column 1: not valid YAML: found duplicate key"),
        ("a: \x01", "not valid YAML"),
        ("mqtt: {password: !secret mqtt}\n", "secret into a file of its own"),
        ("site:\n\tid: x\n", "line 2, column 1: not valid YAML: found character '\\t'"),
        ("site:\n\tid: x\n", "use spaces"),
        ("site:\n  id: x\n   base_load_w: 1\n", "check the indentation"),
        ('site: {id: "x}\n', "a quote or a bracket is not closed"),
        ("a: " + "[" * 5000, "too deeply"),
    ],
)
def test_broken_yaml_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    [found] = faults(tmp_path, text)
    assert said in found


MQTT = "mqtt:\n  host: localhost\n  username: agent\n  password: {}\nlog:\n  level: info\n"


@pytest.mark.parametrize(
    "password",
    [
        *("!hunter2", "*hunter2", "%hunter2", "@hunter2", "`hunter2", "&hunter2", "& hunter2"),
        *("[hunter2", "{{hunter2", ">hunter2", "|hunter2", "? hunter2", "- hunter2", ": hunter2"),
        *(
            "hunter2: x",
            "hunter2:",
            "]hunter2",
            ",hunter2",
            "'it's hunter2'",
            '"hunter2',
            "'hunter2",
        ),
        *('"hunter2\\q"', "&hunter2 x"),
    ],
)
def test_a_password_with_signs_of_yaml_wants_quotes(tmp_path: Path, password: str) -> None:
    """Whatever YAML makes of it, and nothing of it is repeated."""
    [found] = faults(tmp_path, SMALL + MQTT.format(password))
    assert found.startswith("line 6: password has signs that mean something in YAML: put it")
    quoted = password.replace("'", "''")
    assert load(tmp_path, SMALL + MQTT.format(f"'{quoted}'")).mqtt.password is not None


@pytest.mark.parametrize("password", ["@hunter2", "*hunter2", "&hunter2", "[hunter2", "'hunter2"])
def test_within_braces_too(tmp_path: Path, password: str) -> None:
    [found] = faults(tmp_path, f"{SMALL}mqtt: {{username: agent, password: {password}, port: 1}}\n")
    assert found.startswith("line 3: password has signs that mean something in YAML: put it")


@pytest.mark.parametrize(
    "password", ["-x", "?x", "it's", "a#b", "p:w", "x@y!", "100%", "'a: b' # c"]
)
def test_a_password_that_needs_no_quotes_is_taken(tmp_path: Path, password: str) -> None:
    assert load(tmp_path, SMALL + MQTT.format(password)).mqtt.password is not None


def test_a_sign_that_looks_like_a_space_is_named(tmp_path: Path) -> None:
    said = "line 5: there is a no-break space here, as web pages have it: type a space"
    for text in (
        "mqtt:\n  host: localhost\n\u00a0 port: 1883\n",
        "mqtt:\n\n  host:\u00a0x\n  port: 1\n",
    ):
        assert faults(tmp_path, SMALL + text) == [said]


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [
        ("latitude", "52,5", "a decimal number has a point: 52.5"),
        ("base_load_w", "3,7", "it is in W: 3.7 kW are 3700"),
    ],
)
def test_a_decimal_comma_is_named(tmp_path: Path, key: str, value: str, right: str) -> None:
    [found] = faults(tmp_path, SMALL + f"site:\n  {key}: {value}\n")
    assert found.startswith(f"site.{key}: is '{value}'; expected a ")
    assert found.endswith(right)


def test_a_port_has_no_decimals(tmp_path: Path) -> None:
    [found] = faults(tmp_path, SMALL + 'mqtt:\n  port: "18,83"\n')
    assert found == "mqtt.port: is '18,83'; expected a whole number, without a unit"


EDITED = "tariff:\n  source: fixed\n  timezone: UTC\n  currency: EUR\n  import: 0.3\n  # Zähler\n"


@pytest.mark.parametrize("change", [("\n", "\r\n"), ("tariff", "\ufefftariff")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_files_of_other_editors(tmp_path: Path, change: tuple[str, str], encoding: str) -> None:
    if encoding == "utf-16":
        # Python's own begins with the mark.
        change = (change[0], change[1].removeprefix("\ufeff"))
    (tmp_path / "config.yaml").write_bytes(EDITED.replace(*change).encode(encoding))
    assert isinstance(load_config(tmp_path / "config.yaml").tariff, FixedConfig)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "mac-roman"])
def test_a_file_of_a_code_page_is_said_with_its_line(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "config.yaml").write_bytes(EDITED.encode(encoding))
    with pytest.raises(ConfigError, match="line 6 is no text in UTF-8; save it as UTF-8"):
        load_config(tmp_path / "config.yaml")


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.example\.yaml"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"\xfc")
    with pytest.raises(ConfigError, match="cannot be read: line 1 is no text in UTF-8; save it"):
        load_config(tmp_path / "bad.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)
    with pytest.raises(ConfigError, match="/dev/zero is larger than 500 kB"):
        load_config(Path("/dev/zero"))
    [found] = faults(tmp_path, "")
    assert found == "tariff: is missing"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("location_id: loc_1", "contract_start: 2025-02-30, location_id: l"),
            "tariff.contract_start: is '2025-02-30'; expected a date",
        ),
        (
            ("api_key: sk_live_topsecret", "api_key: "),
            "tariff: auth basic needs account_id and api_key",
        ),
    ],
)
def test_a_fault_of_the_tariff_stands_where_the_file_has_it(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    [found] = faults(tmp_path, FLATPEAK.replace(*change))
    assert found.startswith(said), found


def test_an_empty_value_is_not_given(tmp_path: Path) -> None:
    config = load(tmp_path, SMALL + "mqtt: {host: , port: , tls: }\ndevices:\nlog:\n")
    assert config == load(tmp_path, SMALL)


@pytest.mark.parametrize("host", ["broker.local", "192.168.1.10", "::1", "fe80::1%eth0", "my_pi"])
def test_every_way_to_name_a_broker(tmp_path: Path, host: str) -> None:
    assert load(tmp_path, SMALL + f"mqtt: {{host: '{host}'}}").mqtt.host == host


@pytest.mark.parametrize(
    ("text", "said"), [("", "is empty"), (" \n", "is empty"), ("a\nb\n", "more than one line")]
)
def test_a_secret_file_that_cannot_be_meant_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "mqtt__password").write_text(text)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    [found] = faults(tmp_path, SMALL)
    assert found.startswith(f"mqtt.password: {folder / 'mqtt__password'} ")
    assert said in found


def test_every_secret_file_that_cannot_be_read_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "mqtt__password").write_text("")
    (folder / "tariff__api_key").write_bytes(b"\xff")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    text = FLATPEAK.replace(", api_key: sk_live_topsecret", "") + "log: {level: loud}\n"
    said = faults(tmp_path, text)
    assert [line.partition(":")[0] for line in said] == [
        "mqtt.password",
        "tariff.api_key",
        "log.level",
    ]
    # That the key is missing is no second fault.
    assert "needs account_id" not in str(said)


@pytest.mark.parametrize(
    "name", ["FLATPEAK_AGENT_MQTT__HOST", "FLATPEAK_AGENT_MQTT_HOST", "FLATPEAK_AGENT__MQTT_HOST"]
)
def test_a_variable_with_too_few_underscores_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("FLATPEAK_AGENT_CONFIG", "/etc/config.yaml")
    monkeypatch.setenv(name, "broker.lan")
    [said] = faults(tmp_path, SMALL)
    assert said == f"{name}: nobody reads this variable; did you mean FLATPEAK_AGENT__MQTT__HOST?"


@pytest.mark.parametrize("tariff", ["{}", "{source: free}"])
def test_a_source_that_nobody_knows_is_named_with_those_that_are(
    tmp_path: Path, tariff: str
) -> None:
    [fault] = faults(tmp_path, f"tariff: {tariff}")
    assert fault.startswith("tariff.source: is ")
    assert "expected flatpeak or fixed" in fault


def test_a_roof_needs_its_place_and_a_house_has_one_grid_meter(tmp_path: Path) -> None:
    roof = "site: {pv: {peak_w: 5000}}\n"
    [why] = faults(tmp_path, SMALL + roof)
    assert why == "site.pv: site.latitude and site.longitude are needed for it"
    meters = "devices: [{id: a, type: meter, role: grid}, {id: b, type: meter, role: grid}]\n"
    [why] = faults(tmp_path, SMALL + meters)
    assert (
        why == "devices[1].role: is 'grid'; devices[0] (a) is the grid meter already; expected one"
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("weekend", ["sat", "sun"]),
        ("sat-mon", ["mon", "sat", "sun"]),
        ("wed", ["wed"]),
        ("[fri, mon-tue]", ["mon", "tue", "fri"]),
    ],
)
@pytest.mark.parametrize("place", ["comfort", "window"])
def test_days_are_written_everywhere_as_in_a_tariff(
    tmp_path: Path, place: str, written: str, meant: list[str]
) -> None:
    [device] = load(tmp_path, SMALL + DAYS_OF[place].format(written)).devices
    if isinstance(device, HouseHeatPump):
        days = device.comfort[0].days
    else:
        assert isinstance(device, Switched)
        days = device.needs[0].window.days
    assert list(days) == meant


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[]", "expected at least one; leave the key out for all"),
        ("monday", "one or a list of mon"),
    ],
)
@pytest.mark.parametrize("place", ["comfort", "window"])
def test_days_that_nobody_can_mean(tmp_path: Path, place: str, written: str, said: str) -> None:
    [found] = faults(tmp_path, SMALL + DAYS_OF[place].format(written))
    assert ".days: " in found
    assert said in found


@pytest.mark.parametrize(("name", "meant"), [("mqtt_password", "mqtt__password")])
def test_a_secret_file_of_nearly_the_right_name_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / name).write_text("from file\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    [found] = faults(tmp_path, SMALL)
    assert found.startswith(f"{folder / name}: ")
    assert found.endswith(f"did you mean {meant}?")
    # Beside the right one it may be anything.
    (folder / meant).write_text("from file\n")
    load(tmp_path, SMALL)


def test_a_folder_of_secrets_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "nowhere"))
    [found] = faults(tmp_path, SMALL)
    assert found.startswith("CREDENTIALS_DIRECTORY: ")
    assert "is no folder" in found
