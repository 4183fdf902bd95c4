"""README's lines for the broker, run as they stand: who in the home's network gets in.

Root only: the broker has a network namespace with a cable (veth) to another one, which is the
home's network, and a copy of /etc/mosquitto that nobody else sees.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from integrations.sandbox.broker import find_mosquitto
from tests.fakes.command import ROOT

BROKER_ADDRESS, PHONE_ADDRESS = "10.91.7.1", "10.91.7.2"
TOOLS = ("unshare", "nsenter", "ip", "mosquitto_passwd")

# What the recipe calls and a test cannot have: sudo, a person who types passwords, systemd.
STAND_INS = """
set -eu
sudo() { "$@"; }
mosquitto_passwd() { command mosquitto_passwd -b "$@" secret; }
systemctl() { :; }
"""
OWN_FOLDERS = """
mount --make-rprivate /
cp -a /etc/mosquitto {folder}/etc
mount --bind {folder}/etc /etc/mosquitto
for place in /var/lib/mosquitto /var/log/mosquitto /run; do
  mount -t tmpfs -o mode=777 none "$place"
done
mkdir -m 777 /run/mosquitto
"""
# The other end of the cable goes to a namespace that lives as long as its sleeper.
CABLE = """
ip link set lo up
ip link add home type veth peer name phone
ip address add {broker}/24 dev home
ip link set home up
unshare -n sleep 120 &
phone=$!
while [ "$(readlink /proc/$phone/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
ip link set phone netns $phone
nsenter -t $phone -n sh -c 'ip address add {phone}/24 dev phone && ip link set phone up'
"""
END = """
kill $phone $broker
wait
"""
# Prints what each user was told.
CLIENT = """
import asyncio, sys, aiomqtt

async def attempt(user, password):
    login = {"username": user, "password": password} if user else {}
    try:
        async with aiomqtt.Client(sys.argv[1], 1883, timeout=5, **login):
            return "in"
    except aiomqtt.MqttError as error:
        return str(error)

async def main():
    for login in sys.argv[2:]:
        print(login, "->", await attempt(*login.split(":")))

asyncio.run(main())
"""


def recipe() -> str:
    """The lines of README's section on the broker."""
    section = (ROOT / "README.md").read_text().partition("\n### The broker\n")[2]
    found = re.search(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def run_with_recipe(folder: Path, steps: str) -> dict[str, str]:
    """What each client was told, by its `user:password`."""
    client = folder / "client.py"
    client.write_text(CLIENT)
    mosquitto = find_mosquitto()
    script = "\n".join(
        [
            STAND_INS,
            OWN_FOLDERS.format(folder=folder),
            CABLE.format(broker=BROKER_ADDRESS, phone=PHONE_ADDRESS),
            steps,
            f"{mosquitto} -c /etc/mosquitto/mosquitto.conf >/dev/null 2>&1 &",
            "broker=$!",
            # Until it listens at all: on all its addresses at once.
            f"until {sys.executable} -c 'import socket; "
            'socket.create_connection(("127.0.0.1", 1883))\' 2>/dev/null; do sleep 0.05; done',
            f"nsenter -t $phone -n {sys.executable} {client} {BROKER_ADDRESS} "
            ": flatpeak-agent:secret ev:secret ev:wrong homeassistant:secret",
            END,
        ]
    )
    # The user that Mosquitto becomes must get at the copy.
    for place in (folder, *folder.parents[:2]):
        place.chmod(0o755)
    done = subprocess.run(
        ["unshare", "-m", "-n", "sh", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("no namespaces here")
    found = dict(line.split(" -> ", 1) for line in done.stdout.splitlines() if " -> " in line)
    assert found, done
    return found


pytestmark = pytest.mark.skipif(
    os.geteuid() != 0
    or find_mosquitto() is None
    or not Path("/etc/mosquitto/mosquitto.conf").exists()
    or not all(map(shutil.which, TOOLS)),
    reason="needs root, Debian's Mosquitto, util-linux and iproute2",
)


def test_whoever_has_a_password_gets_in_from_the_homes_network(tmp_path: Path) -> None:
    found = run_with_recipe(tmp_path, recipe())
    for user in ("flatpeak-agent", "homeassistant", "ev"):
        assert found.pop(f"{user}:secret") == "in"
    assert set(found) == {":", "ev:wrong"}
    assert all("authori" in answer.lower() for answer in found.values()), found


def test_without_the_recipe_nobody_from_outside_reaches_it(tmp_path: Path) -> None:
    """Why the recipe is there: so Debian's Mosquitto comes."""
    found = run_with_recipe(tmp_path, "")
    assert all("refused" in answer for answer in found.values()), found
