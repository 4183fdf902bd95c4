"""An outside judge of what was said on MQTT: knows only the wire contract, nothing of the agent.

Given everything that was said below the base, in order, it lists what breaks the contract. Times
are Unix seconds.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

MODES = {
    "evse": {"idle", "charge", "release"},
    "flexible": {"idle", "charge", "release"},
    "program": {"idle", "run"},
    "space_heating": {"block", "normal", "boost", "force"},
    "water_heating": {"block", "normal", "boost", "force"},
    "battery_storage": {"auto", "hold", "charge", "discharge"},
}
LONGEST_BLOCK_S = 7200
LIMIT_OBEYED_WITHIN_S = 5
REVISION_EVERY_S = 5
SHORTEST_S = 60
ANSWERED_WITHIN_S = 3


@dataclass(frozen=True)
class Utterance:
    at: float
    topic: str
    payload: bytes
    retain: bool = False


@dataclass
class House:
    """`most_w` by device for a released one; `base_load_w` is what else the house draws."""

    base_load_w: float = 0.0
    limit_w: float | None = None
    most_w: dict[str, float] = field(default_factory=dict)
    minimum_w: dict[str, float] = field(default_factory=dict)


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def complaints(said: Sequence[Utterance], house: House) -> list[str]:
    """Everything that breaks the contract, in sentences."""
    out = [*_documents(said, house), *_order(said), *_requests(said), *_events(said)]
    out += [*_limit(said, house), *_blocks(said)]
    return out


def _bodies(said: Sequence[Utterance], form: str) -> Iterator[tuple[Utterance, str, Any]]:
    for item in said:
        parts = item.topic.split("/", 2)
        if parts[0] == "device" and parts[2] == form and item.payload:
            yield item, parts[1], json.loads(item.payload)


def _documents(said: Sequence[Utterance], house: House) -> Iterator[str]:
    last: dict[str, tuple[int, float, int]] = {}
    limits = [item.at for item in said if item.topic == "site/limit"]
    for item, device, body in _bodies(said, "schedule"):
        where = f"{device} at {item.at:.0f}"
        issued, until = unix(body["issued_at"]), unix(body["valid_until"])
        if len(item.payload) > 8192:
            yield f"{where}: a schedule of {len(item.payload)} bytes"
        if unix(body["valid_from"]) > issued - 300:
            yield f"{where}: valid_from is not 300 s before issued_at"
        if until < issued + 3600:
            yield f"{where}: valid for less than an hour"
        words = MODES[body["device_type"]]
        modes = [*body["slots"], body["default"], body["offline"]]
        if not {one["mode"] for one in modes} <= words:
            yield f"{where}: modes {[one['mode'] for one in modes]}"
        edges = [(max(unix(s["start"]), issued), unix(s["end"])) for s in body["slots"]]
        for (start, end), slot in zip(edges, body["slots"], strict=True):
            under_way = unix(slot["start"]) <= issued
            if under_way and unix(slot["start"]) > issued - 300:
                yield f"{where}: a slot under way begins {issued - unix(slot['start'])} s ago"
            if end - start < SHORTEST_S and not under_way:
                yield f"{where}: a slot of {end - start} s"
            if end > until:
                yield f"{where}: a slot beyond valid_until"
            least = house.minimum_w.get(device, 0)
            if 0 < slot["power_w"] < least:
                yield f"{where}: {slot['power_w']} W, the device needs {least}"
        for (_, end), (start, _) in pairwise(edges):
            if start < end:
                yield f"{where}: slots overlap"
            if 0 < start - end < SHORTEST_S:
                yield f"{where}: a gap of {start - end} s"
        for money in ("cost", "baseline_cost"):
            if len(str(body[money]).partition(".")[2]) > 6:
                yield f"{where}: {money} {body[money]}"
        known = last.get(device)
        if known is not None:
            revision, at, _ = known
            if body["revision"] < revision:
                yield f"{where}: revision {body['revision']} after {revision}"
            by_limit = any(0 <= item.at - came < LIMIT_OBEYED_WITHIN_S for came in limits)
            # After the broker was away two may come at once that were made apart.
            apart = max(item.at - at, issued - known[2])
            if body["revision"] > revision and apart < REVISION_EVERY_S and not by_limit:
                yield f"{where}: two revisions within {item.at - at:.1f} s"
        if known is None or body["revision"] > known[0]:
            last[device] = body["revision"], item.at, issued
    for item, device, body in _bodies(said, "schedule/compact"):
        if len(item.payload) > 1000 or len(body["p"]) > 64:
            yield f"{device} at {item.at:.0f}: a compact form of {len(item.payload)} bytes"
        if not 0 < body["e"] <= 2_678_400:
            yield f"{device} at {item.at:.0f}: compact e {body['e']}"
    for item, device, body in _bodies(said, "setpoint"):
        if len(item.payload) > 512:
            yield f"{device} at {item.at:.0f}: a setpoint of {len(item.payload)} bytes"
        if body["power_w"] and body.get("current_a") is not None and body["current_a"] < 6:
            yield f"{device} at {item.at:.0f}: {body['current_a']} A"


def _order(said: Sequence[Utterance]) -> Iterator[str]:
    """Schedule, compact, setpoint; `online` after the schedules."""
    compact: dict[str, int] = {}
    schedule: dict[str, int] = {}
    for item in said:
        parts = item.topic.split("/", 2)
        if parts[0] != "device" or not item.payload:
            continue
        if parts[2] == "schedule":
            schedule[parts[1]] = json.loads(item.payload)["revision"]
        elif parts[2] == "schedule/compact":
            compact[parts[1]] = revision = json.loads(item.payload)["r"]
            if revision != schedule.get(parts[1]):
                yield f"{parts[1]} at {item.at:.0f}: compact {revision} before its schedule"


def _requests(said: Sequence[Utterance]) -> Iterator[str]:
    """Each request with an id has its answer."""
    for index, item in enumerate(said):
        parts = item.topic.split("/")
        if parts[-1] != "request" or item.retain or not item.payload:
            continue
        try:
            wanted = json.loads(item.payload).get("id")
        except (ValueError, AttributeError):
            continue
        if not isinstance(wanted, str) or len(wanted) > 64 or not wanted.isprintable():
            continue
        answer = "/".join([*parts[:-1], "wish"])
        later = [one for one in said[index:] if one.topic == answer and one.payload]
        found = [one for one in later if json.loads(one.payload)["id"] == wanted]
        if not found or found[0].at > item.at + ANSWERED_WITHIN_S:
            yield f"{item.topic} at {item.at:.0f}: {wanted!r} has no answer"


def _events(said: Sequence[Utterance]) -> Iterator[str]:
    last: dict[tuple[str, str], int] = {}
    for item in said:
        if item.topic == "status" and item.payload == b"offline":
            # Nobody's fault but the agent's own: a new life begins anew.
            last.clear()
        elif item.topic == "event":
            body = json.loads(item.payload)
            key = body["type"], body["device"] or ""
            at = unix(body["at"])
            if key in last and at - last[key] < SHORTEST_S - 1:
                yield f"event {key} twice within {at - last[key]} s"
            last[key] = at


def _told(body: dict[str, Any], when: float, most_w: float) -> tuple[str, float]:
    """What a device that holds the schedule is told at that second, while it is valid."""
    for slot in body["slots"]:
        if unix(slot["start"]) <= when < unix(slot["end"]):
            power = most_w if slot["mode"] == "release" else slot["power_w"]
            return slot["mode"], power
    return body["default"]["mode"], body["default"]["power_w"]


def _edges(body: dict[str, Any]) -> set[int]:
    return {unix(slot[key]) for slot in body["slots"] for key in ("start", "end")}


def _limit(said: Sequence[Utterance], house: House) -> Iterator[str]:
    """The sum of what was published, five seconds after each limit came."""
    held: dict[str, dict[str, Any]] = {}
    limit: list[tuple[float, float, float]] = []
    standing = house.limit_w
    changed_at = float("-inf")
    looked_to = said[0].at if said else 0.0
    for item in [*said, Utterance(said[-1].at + 1, "end", b"")] if said else []:
        seconds = {item.at}
        for body in held.values():
            seconds |= {e + 0.001 for e in _edges(body) if looked_to < e < item.at}
        seconds |= {e + 0.001 for span in limit for e in span[:2] if looked_to < e < item.at}
        for second in sorted(seconds):
            allowed = [w for start, end, w in limit if start <= second < end - 0.01]
            if standing is not None:
                allowed.append(standing)
            if not allowed or second < changed_at + LIMIT_OBEYED_WITHIN_S:
                continue
            total = house.base_load_w + sum(
                _told(body, second, house.most_w.get(name, 0))[1] for name, body in held.items()
            )
            if total > min(allowed) + 1:
                told = {name: _told(body, second, 0)[1] for name, body in held.items()}
                yield f"at {second:.0f}: {total:.0f} W under {min(allowed):.0f} W: {told}"
                break
        looked_to = item.at
        parts = item.topic.split("/", 2)
        if parts[0] == "device" and parts[2] == "schedule":
            held.pop(parts[1], None)
            if item.payload:
                held[parts[1]] = json.loads(item.payload)
        elif item.topic == "site/limit":
            limit = _limits(item)
            changed_at = item.at


def _limits(item: Utterance) -> list[tuple[float, float, float]]:
    try:
        body = json.loads(item.payload) if item.payload else {}
    except ValueError:
        return []
    if "import_w" in body:
        end = unix(body["until"]) if body.get("until") else float("inf")
        return [(item.at, end, body["import_w"])]
    return [(unix(w["start"]), unix(w["end"]), w["import_w"]) for w in body.get("windows", [])]


def _blocks(said: Sequence[Utterance]) -> Iterator[str]:
    """No heat pump is blocked for more than two hours in a row, over every revision."""
    lives: dict[str, list[tuple[float, dict[str, Any]]]] = defaultdict(list)
    for item, device, body in _bodies(said, "schedule"):
        if body["device_type"] in ("space_heating", "water_heating"):
            lives[device].append((item.at, body))
    for device, bodies in lives.items():
        since: float | None = None
        for (at, body), (following, _) in pairwise([*bodies, (bodies[-1][0] + 86_400, {})]):
            edges = sorted({at, *(e for e in _edges(body) if at < e < following)})
            for start, end in pairwise([*edges, following]):
                if _told(body, start, 0)[0] != "block":
                    since = None
                    continue
                since = start if since is None else since
                if end - since > LONGEST_BLOCK_S + 1:
                    yield f"{device}: blocked for {end - since:.0f} s from {since:.0f}"
                    break
