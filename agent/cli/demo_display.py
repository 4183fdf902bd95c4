"""What a person sees of the demo: prices, what runs when and why, what it saved.

Everything but the money is read from MQTT, like any subscriber could. On a terminal the picture is
drawn again in place, as large as the terminal has room for; elsewhere each event is a line.
"""

import asyncio
import json
import os
import shutil
import sys
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from agent.cli.demo_summary import NAME_WIDTH, totals
from agent.cli.paced_clock import PacedClock
from agent.cli.terminal import fit, signs_for
from agent.records.ledger import Ledger

REFRESH_S = 0.5
MOST_COLUMNS = 96
EVENTS_KEPT = 12
STEP = timedelta(minutes=30)


class DemoDisplay:
    """`receive` takes every message below the base; `messages` counts those of the agent.

    `on_gone` is called when nobody reads what is written any more.
    """

    def __init__(
        self,
        clock: PacedClock,
        zone: ZoneInfo,
        base: str,
        ledger: Ledger,
        *,
        currency: str,
        quiet: bool,
        broker: str,
        on_gone: Callable[[], None],
        in_place: bool = True,
        out: TextIO = sys.stdout,
    ) -> None:
        self._clock = clock
        self._zone = zone
        self._base = base
        self._ledger = ledger
        self._currency = currency
        self._quiet = quiet
        self._broker = broker
        self._on_gone = on_gone
        self._out = out
        self._signs = signs_for(out)
        self._live = in_place and not quiet and out.isatty() and os.environ.get("TERM") != "dumb"
        self._asked_speed = clock.speed
        self._said_slow = False
        self._prices: list[dict[str, Any]] = []
        self._schedules: dict[str, dict[str, Any]] = {}
        self._states: dict[str, dict[str, Any]] = {}
        self._events: deque[str] = deque(maxlen=EVENTS_KEPT)
        self.messages = 0
        if not quiet and not self._live:
            self._print(self._title())

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
        if self._live:
            self._write("\x1b[?25l\x1b[H\x1b[2J")
        while True:
            if self._live:
                self._draw()
            elif self._clock.slowed and not self._said_slow:
                self._said_slow = True
                if not self._quiet:
                    self._print(
                        f"this machine does not keep up at {self._asked_speed:g} times real time: "
                        f"going on at about {self._clock.achieved:.0f}"
                    )
            await asyncio.sleep(REFRESH_S)

    def close(self) -> None:
        if self._live:
            self._draw()
            self._write("\x1b[?25h\n")

    def _title(self) -> str:
        speed = f"{self._asked_speed:g} times real time"
        if self._clock.slowed:
            speed = f"about {self._clock.achieved:.0f} times real time"
        return f"FlatPeak edge agent, demo at {speed}, broker {self._broker}"

    def _note(self, event: Mapping[str, Any]) -> None:
        when = datetime.fromisoformat(event["at"]).astimezone(self._zone)
        text = f"{when:%a %H:%M}  {event['device'] or 'house':<{NAME_WIDTH}} {_event_text(event)}"
        self._events.append(text)
        if not self._live and not self._quiet:
            self._print(text)

    def _print(self, text: str) -> None:
        self._write(text + "\n")

    def _write(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except OSError:
            # `| head` has seen enough, or the terminal was closed.
            self._on_gone()

    def _draw(self) -> None:
        # Without a line feed at the end: in the last row it would scroll the head away.
        lines = fit(self._lines(), self._signs)
        self._write("\x1b[H" + "\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J")

    def _lines(self) -> list[str]:
        """The picture; what happened last takes the rows that are left."""
        now = self._clock.now()
        local = now.astimezone(self._zone)
        first = now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0)
        width, rows = shutil.get_terminal_size()
        columns = [
            first + STEP * index
            for index in range(max(8, min(MOST_COLUMNS, width - NAME_WIDTH - 1)))
        ]
        bars = self._signs.bars
        lines = [
            self._title(),
            f"{local:%A %d %B %H:%M} in {self._zone.key}    Ctrl-C ends it",
            f"a column is half an hour; price low {bars[1]} to high {bars[-1]}; "
            f"planned to run {self._signs.on}",
            *self._money(),
            f"{'':<{NAME_WIDTH}} {self._time_axis(columns)}",
            f"{'price':<{NAME_WIDTH}} {self._price_bar(columns)}",
        ]
        for device in sorted(self._schedules):
            lines.append(f"{device:<{NAME_WIDTH}} {self._slots(device, columns)}")
            lines.append(f"{'':<{NAME_WIDTH}} {self._now(device, now)}")
        left = rows - 1 - len(lines) - 2
        events = list(self._events)[-left:] if left > 0 else []
        return [*lines, "", "what happened", *events] if events else lines

    def _time_axis(self, columns: list[datetime]) -> str:
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
            "?" if price is None else self._signs.bars[1 + round((price - low) / span * 7)]
            for price in prices
        )

    def _slots(self, device: str, columns: list[datetime]) -> str:
        spans = [
            (datetime.fromisoformat(slot["start"]), datetime.fromisoformat(slot["end"]))
            for slot in self._schedules[device]["slots"]
        ]
        return "".join(
            self._signs.on
            if any(start < when + STEP and end > when for start, end in spans)
            else self._signs.off
            for when in columns
        )

    def _ahead(self, device: str, now: datetime) -> list[dict[str, Any]]:
        slots: list[dict[str, Any]] = self._schedules[device]["slots"]
        return [slot for slot in slots if datetime.fromisoformat(slot["end"]) > now]

    def _now(self, device: str, now: datetime) -> str:
        state, schedule = self._states.get(device, {}), self._schedules[device]
        parts = [str(state.get("mode", "?"))]
        if power_kw := round(float(state.get("power_w", 0)) / 1000, 1):
            parts = [f"{parts[0]} {power_kw:.1f} kW"]
        if "plugged" in state and not state["plugged"]:
            parts = ["away"]
        if "soc_percent" in state:
            parts.append(f"battery {state['soc_percent']:.0f} %")
        if "temperature_c" in state:
            parts.append(f"{state['temperature_c']:.0f} {self._signs.degrees}")
        goal, ahead = schedule["goal"], self._ahead(device, now)
        if ahead and goal["ready_by"] and goal["energy_kwh"]:
            ready = datetime.fromisoformat(goal["ready_by"]).astimezone(self._zone)
            parts.append(f"{float(goal['energy_kwh']):.1f} kWh by {ready:%a %H:%M}")
        reasons = sorted({str(slot["reason"]).replace("_", " ") for slot in ahead})
        return ", ".join(parts) + (f" ({', '.join(reasons)})" if reasons else "")

    def _money(self) -> list[str]:
        energy, cost, baseline = totals(self._ledger.accounts.values())
        return [
            f"so far {energy} kWh for {cost} {self._currency}; begun at once the same: "
            f"{baseline} {self._currency}",
        ]


def _event_text(event: Mapping[str, Any]) -> str:
    kind = str(event["type"]).replace("_", " ")
    return f"{kind}: {event['text']}"
