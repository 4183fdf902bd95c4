"""What a person sees of the demo: prices, what runs when and why, what it saved.

Everything but the money is read from MQTT, like any subscriber could. On a terminal the picture is
drawn again in place; elsewhere each event is a line.
"""

import asyncio
import json
import shutil
import sys
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from agent.clock import Clock
from agent.records.ledger import Ledger

REFRESH_S = 0.5
BARS = " ▁▂▃▄▅▆▇█"
MOST_COLUMNS = 96
EVENTS_SHOWN = 8
STEP = timedelta(minutes=30)
NAME_WIDTH = 13


class Screen:
    """`receive` takes every message below the base; `messages` counts those of the agent."""

    def __init__(
        self,
        clock: Clock,
        zone: ZoneInfo,
        base: str,
        ledger: Ledger,
        *,
        currency: str,
        quiet: bool,
        title: str,
        out: TextIO = sys.stdout,
    ) -> None:
        self._clock = clock
        self._zone = zone
        self._base = base
        self._ledger = ledger
        self._currency = currency
        self._quiet = quiet
        self._title = title
        self._out = out
        self._live = not quiet and out.isatty()
        self._prices: list[dict[str, Any]] = []
        self._schedules: dict[str, dict[str, Any]] = {}
        self._states: dict[str, dict[str, Any]] = {}
        self._events: deque[str] = deque(maxlen=EVENTS_SHOWN)
        self.messages = 0
        if not quiet and not self._live:
            self._print(title)

    def receive(self, topic: str, payload: bytes) -> None:
        name = topic.removeprefix(f"{self._base}/")
        device, _, kind = name.removeprefix("device/").partition("/")
        if kind not in ("state", "ack", "request"):
            self.messages += 1
        if not payload:
            return
        if name == "tariff/import/list":
            self._prices = json.loads(payload)
        elif name == "event":
            self._note(json.loads(payload))
        elif kind == "schedule":
            self._schedules[device] = json.loads(payload)
        elif kind == "state":
            self._states[device] = json.loads(payload)

    async def run(self) -> None:
        if not self._live:
            return
        self._out.write("\x1b[?25l")
        while True:
            self._draw()
            await asyncio.sleep(REFRESH_S)

    def close(self) -> None:
        if self._live:
            self._draw()
            self._out.write("\x1b[?25h\n")
            self._out.flush()

    def _note(self, event: Mapping[str, Any]) -> None:
        when = datetime.fromisoformat(event["at"]).astimezone(self._zone)
        text = f"{when:%a %H:%M}  {event['device'] or 'house':<{NAME_WIDTH}} {_words(event)}"
        self._events.append(text)
        if not self._live and not self._quiet:
            self._print(text)

    def _print(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()

    def _draw(self) -> None:
        width = shutil.get_terminal_size().columns
        lines = [line[:width] for line in self._lines()]
        self._out.write("\x1b[H\x1b[J" + "\n".join(lines) + "\n")
        self._out.flush()

    def _lines(self) -> list[str]:
        now = self._clock.now()
        local = now.astimezone(self._zone)
        first = now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0)
        room = min(MOST_COLUMNS, max(24, shutil.get_terminal_size().columns - NAME_WIDTH - 2))
        columns = [first + STEP * index for index in range(room)]
        lines = [
            self._title,
            f"{local:%A %d %B %H:%M} in {self._zone.key}    Ctrl-C ends it",
            "a column is half an hour; price low ▁ to high █; planned to run █",
            "",
            f"{'':<{NAME_WIDTH}} {self._ruler(columns)}",
            f"{'price':<{NAME_WIDTH}} {self._price_bar(columns)}",
        ]
        for device in sorted(self._schedules):
            lines.append(f"{device:<{NAME_WIDTH}} {self._slots(device, columns)}")
            lines.append(f"{'':<{NAME_WIDTH}} {self._now(device, now)}")
        lines += ["", "what happened", *self._events, "", *self._money()]
        return lines

    def _ruler(self, columns: list[datetime]) -> str:
        marks = [" "] * len(columns)
        for index, when in enumerate(columns):
            local = when.astimezone(self._zone)
            if local.minute == 0 and local.hour % 6 == 0:
                for offset, letter in enumerate(f"{local:%H:%M}"):
                    if index + offset < len(marks):
                        marks[index + offset] = letter
        return "".join(marks)

    def _price_at(self, when: datetime) -> float | None:
        for span in self._prices:
            if datetime.fromisoformat(span["start"]) <= when < datetime.fromisoformat(span["end"]):
                return float(span["value"])
        return None

    def _price_bar(self, columns: list[datetime]) -> str:
        prices = [self._price_at(when) for when in columns]
        known = [price for price in prices if price is not None]
        if not known:
            return "no prices yet"
        low, high = min(known), max(known)
        span = (high - low) or 1.0
        return "".join(
            "?" if price is None else BARS[1 + round((price - low) / span * 7)] for price in prices
        )

    def _slots(self, device: str, columns: list[datetime]) -> str:
        spans = [
            (datetime.fromisoformat(slot["start"]), datetime.fromisoformat(slot["end"]))
            for slot in self._schedules[device]["slots"]
        ]
        return "".join(
            "█" if any(start < when + STEP and end > when for start, end in spans) else "·"
            for when in columns
        )

    def _ahead(self, device: str, now: datetime) -> list[dict[str, Any]]:
        slots: list[dict[str, Any]] = self._schedules[device]["slots"]
        return [slot for slot in slots if datetime.fromisoformat(slot["end"]) > now]

    def _now(self, device: str, now: datetime) -> str:
        state, schedule = self._states.get(device, {}), self._schedules[device]
        parts = [f"{state.get('mode', '?')} {float(state.get('power_w', 0)) / 1000:.1f} kW"]
        if "plugged" in state and not state["plugged"]:
            parts = ["away"]
        if "soc_percent" in state:
            parts.append(f"battery {state['soc_percent']:.0f} %")
        if "temperature_c" in state:
            parts.append(f"{state['temperature_c']:.0f} °C")
        goal, ahead = schedule["goal"], self._ahead(device, now)
        if ahead and goal["ready_by"] and goal["energy_kwh"]:
            ready = datetime.fromisoformat(goal["ready_by"]).astimezone(self._zone)
            parts.append(f"{float(goal['energy_kwh']):.1f} kWh to come by {ready:%a %H:%M}")
        reasons = {slot["reason"] for slot in ahead}
        if reasons:
            parts.append(f"because: {', '.join(sorted(reasons))}")
        return ", ".join(parts)

    def _money(self) -> list[str]:
        accounts = self._ledger.accounts.values()
        cost = sum(float(account.cost) for account in accounts)
        baseline = sum(float(account.baseline_cost) for account in accounts)
        energy = sum(float(account.energy_kwh) for account in accounts)
        return [
            f"so far {energy:.1f} kWh for {cost:.2f} {self._currency}; what is ready by now, "
            "started at once,",
            f"would have cost {baseline:.2f} {self._currency}",
        ]


def _words(event: Mapping[str, Any]) -> str:
    kind = str(event["type"]).replace("_", " ")
    return f"{kind}: {event['text']}"


def summary_text(summary: Mapping[str, Any]) -> str:
    """The demo's end for people."""
    currency = summary["currency"]
    head = (
        f"{'':<{NAME_WIDTH}} {'energy':>10} {'cost':>9} {'at once':>9} {'saved':>9}"
        f"  {'ready in time':>13}  {'schedules followed':>18}"
    )
    rows = []
    for item in summary["devices"]:
        saved = item["baseline_cost"] - item["cost"]
        rows.append(
            f"{item['id']:<{NAME_WIDTH}} {item['energy_kwh']:>6.1f} kWh {item['cost']:>9.2f} "
            f"{item['baseline_cost']:>9.2f} {saved:>9.2f}  "
            f"{item['deadlines_met']:>6} of {item['deadlines']:<3}  "
            f"{item['schedules_followed']:>11} of {item['schedules']:<3}"
        )
    cost = sum(item["cost"] for item in summary["devices"])
    baseline = sum(item["baseline_cost"] for item in summary["devices"])
    hours = summary["simulated_s"] / 3600
    share = f" ({(baseline - cost) / baseline:.0%})" if baseline > 0 else ""
    return "\n".join(
        [
            "",
            f"{hours:.0f} simulated hours, prices in {currency} per kWh as they held",
            "",
            head,
            *rows,
            "",
            f"Cost {cost:.2f} {currency}; starting everything at once would have cost "
            f"{baseline:.2f} {currency}: saved {baseline - cost:.2f} {currency}{share}.",
            f"{summary['api_calls']} calls to FlatPeak, {summary['messages']} messages from the "
            "agent.",
            "Everything was ready in time and every schedule was followed."
            if summary["ok"]
            else "Something was missed: see the table.",
        ]
    )
