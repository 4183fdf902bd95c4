"""`flatpeak-agent sandbox`: a FlatPeak that lives on this machine, with real prices."""

import argparse
import asyncio
import sys
from datetime import datetime, time, timedelta
from pathlib import Path

from agent.cli.arguments import CommandParser, instant, missing_file, number_to, port, time_zone
from agent.cli.common import EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, stop_on_signals
from agent.clock import Clock, SteppedClock, SystemClock
from agent.energy.instants import format_instant
from integrations.sandbox.faults import FAULTS
from integrations.sandbox.locations import Location, built_in, from_file
from integrations.sandbox.series import FileSeries
from integrations.sandbox.server import FlatPeakSandbox

PORT = 8099
MOST_SPEED = 1_000_000


def main(argv: list[str]) -> int:
    """Serve until Ctrl-C; the return value is the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.timezone and not args.prices:
        parser.error("--timezone is the zone of a price file: expected --prices FILE too")
    if args.faults:
        for name, kind in FAULTS.items():
            print(f"{name:<20} {kind.group:<9} {kind.description}")
        return 0
    locations = built_in()
    if args.prices:
        if missing := missing_file([args.prices]):
            print(f"flatpeak-agent sandbox: --prices: {missing}", file=sys.stderr)
            return EX_NOINPUT
        try:
            locations = (from_file(args.prices, args.timezone or ""), *locations)
        except (OSError, EOFError, ValueError) as error:
            print(f"flatpeak-agent sandbox: --prices: {error}", file=sys.stderr)
            return EX_DATAERR
    return asyncio.run(_serve(args, locations))


async def _serve(args: argparse.Namespace, locations: tuple[Location, ...]) -> int:
    clock = _clock(args, locations[0])
    sandbox = FlatPeakSandbox(
        clock,
        locations=locations,
        port=args.port,
        publish_at=args.publish_at,
        predictions=args.predictions,
        strict_offsets=args.strict_offsets,
    )
    stop = asyncio.Event()
    stop_on_signals(stop)
    try:
        await sandbox.start()
    except OSError as error:
        print(f"flatpeak-agent sandbox: port {args.port}: {error.strerror}", file=sys.stderr)
        return EX_UNAVAILABLE
    print(_welcome(sandbox, locations, clock.now()), flush=True)
    await stop.wait()
    await sandbox.stop()
    return 0


def _clock(args: argparse.Namespace, first: Location) -> Clock:
    """The machine's clock, unless another start, another speed or old prices are asked for."""
    now = SystemClock().now()
    start = args.start
    if start is None and args.prices:
        series = first.series["IMPORT"]
        assert isinstance(series, FileSeries)
        first_instant, end = series.file.starts[0], series.file.ends[-1]
        if not first_instant <= now < end:
            # A day in, so that there is a yesterday.
            start = min(first_instant + timedelta(days=1), end)
    if start is None and args.speed == 1:
        return SystemClock()
    return SteppedClock(start or now, args.speed)


def _welcome(sandbox: FlatPeakSandbox, locations: tuple[Location, ...], now: datetime) -> str:
    end = format_instant(now + timedelta(hours=24))
    url, first = sandbox.url, locations[0].id
    lines = [
        f"FlatPeak sandbox at {url}, its clock says {format_instant(now)}",
        "",
        f"  account id  {sandbox.account_id}",
        f"  API key     {sandbox.api_key}",
        "",
    ]
    for location in locations:
        ways = " + ".join(location.series).lower()
        lines.append(
            f"  {location.id}  {location.name} ({ways}; {location.currency}, {location.timezone})"
        )
    lines += [
        "",
        f"  TOKEN=$(curl -s -u {sandbox.account_id}:{sandbox.api_key} {url}/login"
        ' | sed \'s/.*"bearer_token": "\\([^"]*\\).*/\\1/\')',
        '  curl -s -H "Authorization: Bearer $TOKEN"'
        f" '{url}/tariffs/rates/{first}?end_time={end}'",
        "",
        f"  Connect     {sandbox.connect_web_url}?fp_cot=TOKEN, its host is {url}/",
        f"  sessions:   curl -s {url}/_sandbox/connect",
        f"              curl -s {url}/_sandbox/connect -d"
        ' \'{"connect_token": "TOKEN", "action": "SAVE"}\'   (or DISCONNECT, EXPIRE)',
        f"  faults: curl -s {url}/_sandbox/faults",
        f'          curl -s {url}/_sandbox/faults -d \'{{"name": "server_error", "times": 2}}\'',
        "",
        "Market prices are wholesale day-ahead prices of 2024, moved to today; a household pays",
        "more. Sources and licences: integrations/sandbox/prices/ATTRIBUTION.md. Ctrl-C ends it.",
    ]
    return "\n".join(lines)


def _parser() -> CommandParser:
    parser = CommandParser(
        "sandbox", "A FlatPeak that lives on this machine, over loopback only, with real prices."
    )
    parser.add_argument("--port", type=port, default=PORT, help=f"default {PORT}; 0: any free one")
    parser.add_argument(
        "--prices",
        type=Path,
        metavar="FILE",
        help="also serve this price file (start_utc,end_utc,rate, gzipped or not), at its own "
        "dates: the clock starts there",
    )
    parser.add_argument(
        "--timezone", type=time_zone, help="the price file's zone, such as Europe/Madrid"
    )
    parser.add_argument(
        "--start", type=instant, metavar="INSTANT", help="where the clock starts; default: now"
    )
    parser.add_argument(
        "--speed",
        type=number_to(MOST_SPEED),
        default=1.0,
        metavar="N",
        help="the clock runs N times as fast",
    )
    parser.add_argument(
        "--publish-at",
        type=_clock_time,
        default=time(13),
        metavar="HH:MM",
        help="local time at which a market's next day appears; default 13:00",
    )
    parser.add_argument(
        "--predictions",
        action="store_true",
        help="predict what is not published yet, with confidence 0.6",
    )
    parser.add_argument(
        "--strict-offsets",
        action="store_true",
        help="refuse requests with two different UTC offsets",
    )
    parser.add_argument("--faults", action="store_true", help="list the faults and exit")
    return parser


def _clock_time(text: str) -> time:
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a time of day has no zone
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a time such as 13:00, got {text!r}") from error
