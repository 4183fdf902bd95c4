"""What the command connect shows: the QR code, what is connected, why it came to nothing."""

import io
from collections.abc import Mapping
from typing import Any, TextIO

from agent.energy.instants import parse_instant

ENDED = ("connected", "disconnected", "cancelled", "failed")
FAILURES = {
    "login_dismissed": "you did not log in at your energy provider; connect again to try once more",
    "consent_dismissed": "you did not agree to share the tariff; without it there are no prices",
    "provider_error": "the energy provider could not give the tariff; try again later, or choose "
    "another way to connect it",
    "expired": "the link was not used in time; connect again for a new one",
    "not_processed": "the tariff's prices did not become ready within two days; connect again",
    "refused": "it was refused",
}


def qr_code(text: str, out: TextIO, *, ascii_only: bool = False) -> str:
    """Two rows of the code in each line; of # where the output's encoding has no blocks."""
    import segno  # Here, for the other commands do without.

    code = segno.make(text, error="l", micro=False)
    if not ascii_only and _has_blocks(out):
        buffer = io.StringIO()
        code.terminal(buffer, compact=True, border=2)
        return buffer.getvalue()
    rows = code.matrix_iter(border=2)
    return "\n".join("".join("  " if dark else "##" for dark in row) for row in rows)


def status_text(state: Mapping[str, Any]) -> str:
    """A line or more for each direction."""
    lines = []
    for direction in ("import", "export"):
        summary = state["summaries"].get(direction)
        session = state["sessions"].get(direction, {"state": ""})
        lines.append(_direction(direction, summary, direction in state["directions"]))
        if session["state"] == "open":
            until = local_time(session["expires_at"])
            lines.append(f"  a session is open until {until}: {session['url']}")
        elif session["state"] == "processing":
            lines.append("  connected a moment ago; its prices are not ready yet")
        elif session["state"] == "failed":
            lines.append(f"  the last try failed: {failure_text(session)}")
    if state["location_id"]:
        lines.append(f"location: {state['location_id']}")
    if state["conflict"]:
        lines.append(f"note: {state['conflict']}")
    return "\n".join(lines)


def local_time(instant: str) -> str:
    """An instant of the answer as the clock of this machine shows it."""
    return f"{parse_instant(instant).astimezone():%Y-%m-%d %H:%M}"


def failure_text(session: Mapping[str, Any]) -> str:
    if session["state"] != "failed":
        return f"the session was {session['state']}"
    said = FAILURES.get(session["failure"], session["failure"])
    return f"{said} ({session['reason']})" if session["reason"] else said


def _direction(name: str, summary: Mapping[str, Any] | None, chosen: bool) -> str:
    if summary is None or summary["status"] == "not_connected":
        return f"{name}: {'connected' if chosen else 'not connected'}"
    structure = summary["structure"].replace("_", " ")
    parts = [summary["name"], summary["provider"], structure, summary["status"]]
    begin, end = summary["contract_start"], summary["contract_end"]
    if begin:
        parts.append(f"since {local_time(begin)[:10]}")
    if end:
        parts.append(f"contract until {local_time(end)}")
    return f"{name}: " + ", ".join(part for part in parts if part)


def _has_blocks(out: TextIO) -> bool:
    try:
        "▀▄█".encode(out.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
