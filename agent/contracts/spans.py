"""Forecasts of others: a list of `{start, end, value}` in the order of time."""

import json
from datetime import datetime

from agent.contracts.text import UNREADABLE, finite
from agent.energy.instants import parse_instant
from agent.errors import Malformed

MAX_BYTES = 64_000
MAX_SPANS = 2000
MAX_VALUE = 10_000_000

ForecastSpan = tuple[datetime, datetime, float]


def read_spans(payload: bytes, topic: str) -> list[ForecastSpan]:
    """Spans in order, without those that cannot be; empty for an empty payload.

    Raises Malformed where it is no list, or where nothing of it can be read.
    """
    if len(payload) > MAX_BYTES:
        raise Malformed(f"{topic}: {len(payload)} bytes, at most {MAX_BYTES} are read")
    if not payload.strip():
        return []
    try:
        raw = json.loads(payload)
    except UNREADABLE:
        raise Malformed(f"{topic}: is no JSON") from None
    if not isinstance(raw, list) or len(raw) > MAX_SPANS:
        raise Malformed(f"{topic}: expected a list of at most {MAX_SPANS} {{start, end, value}}")
    spans = sorted(filter(None, map(_span, raw)))
    if raw and not spans:
        raise Malformed(f"{topic}: no span of it can be read; expected {{start, end, value}}")
    out: list[ForecastSpan] = []
    for start, end, value in spans:
        if out and start < out[-1][1]:
            start = out[-1][1]
        if start < end:
            out.append((start, end, value))
    return out


def _span(item: object) -> ForecastSpan | None:
    if not isinstance(item, dict):
        return None
    value = finite(item.get("value"))
    if value is None or abs(value) > MAX_VALUE:
        return None
    try:
        start, end = parse_instant(str(item.get("start"))), parse_instant(str(item.get("end")))
    except (ValueError, OverflowError):
        return None
    return (start, end, value) if start < end else None
