"""What `--as-service` takes from the installed unit."""

import re
from pathlib import Path

from agent.cli.service import UNIT, find_service
from agent.paths import config_file, state_directory

SHIPPED = Path(__file__).parents[3] / "systemd" / UNIT


def install(folder: Path, text: str, **drop_ins: str) -> tuple[Path, ...]:
    folder.mkdir(exist_ok=True)
    (folder / UNIT).write_text(text)
    for name, content in drop_ins.items():
        (folder / f"{UNIT}.d").mkdir(exist_ok=True)
        (folder / f"{UNIT}.d" / f"{name}.conf").write_text(content)
    return (folder,)


def test_the_unit_that_ships_has_its_folders_where_the_readme_says(tmp_path: Path) -> None:
    service = find_service({}, install(tmp_path, SHIPPED.read_text()))
    assert service.unit == tmp_path / UNIT
    assert config_file(None, service.environ) == Path("/etc/flatpeak-agent/config.yaml")
    assert state_directory(None, service.environ) == Path("/var/lib/flatpeak-agent")
    assert service.secrets == {}


def test_the_secrets_that_the_unit_comments_out_are_read_once_named(tmp_path: Path) -> None:
    text = SHIPPED.read_text().replace("# LoadCredential=", "LoadCredential=")
    assert find_service({}, install(tmp_path, text)).secrets == {
        "tariff__api_key": Path("/etc/flatpeak-agent/api_key"),
        "mqtt__password": Path("/etc/flatpeak-agent/mqtt_password"),
    }


def test_the_drop_in_that_the_readme_has_names_every_secret_it_makes(tmp_path: Path) -> None:
    section = (SHIPPED.parents[1] / "README.md").read_text().partition("\n### Start it\n")[2]
    found = re.search(r"secrets\.conf <<END\n(.*?)^END$", section, re.MULTILINE | re.DOTALL)
    assert found is not None
    secrets = find_service({}, install(tmp_path, SHIPPED.read_text(), secrets=found[1])).secrets
    assert set(secrets) == {"tariff__api_key", "mqtt__password"}
    for file in secrets.values():
        assert f"install -m 600 /dev/null {file} " in section


def test_drop_ins_add_and_take_back(tmp_path: Path) -> None:
    folders = install(
        tmp_path,
        "[Service]\nLoadCredential=tariff__token:/old\nLoadCredentialEncrypted=mqtt__password:/x\n",
        secrets="[Unit]\nLoadCredential=no:/no\n[Service]\nLoadCredential=\n"
        'LoadCredential=tariff__api_key:/new\nEnvironment="FLATPEAK_AGENT__LOG__LEVEL=debug" A=b\n'
        "StateDirectory=elsewhere:link\n",
    )
    service = find_service({}, folders)
    assert service.secrets == {"tariff__api_key": Path("/new")}
    assert service.encrypted == ("mqtt__password",)
    assert service.environ["FLATPEAK_AGENT__LOG__LEVEL"] == "debug"
    assert state_directory(None, service.environ) == Path("/var/lib/elsewhere")


def test_what_the_persons_own_shell_sets_is_not_the_services(tmp_path: Path) -> None:
    shell = {"FLATPEAK_AGENT__MQTT__HOST": "mine", "STATE_DIRECTORY": "/mine", "PATH": "/bin"}
    environ = find_service(shell, install(tmp_path, SHIPPED.read_text())).environ
    assert "FLATPEAK_AGENT__MQTT__HOST" not in environ
    assert environ["PATH"] == "/bin"
    assert state_directory(None, environ) == Path("/var/lib/flatpeak-agent")


def test_within_the_service_its_credentials_are_where_systemd_laid_them(tmp_path: Path) -> None:
    laid_out = tmp_path / "credentials"
    laid_out.mkdir()
    (laid_out / "mqtt__password").write_text("secret")
    service = find_service(
        {"CREDENTIALS_DIRECTORY": str(laid_out)}, install(tmp_path, SHIPPED.read_text())
    )
    assert service.secrets == {"mqtt__password": laid_out / "mqtt__password"}


def test_without_a_unit_the_usual_folders_count(tmp_path: Path) -> None:
    service = find_service({}, (tmp_path,))
    assert service.unit is None
    assert state_directory(None, service.environ) == Path("/var/lib/flatpeak-agent")
