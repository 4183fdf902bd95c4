"""`flatpeak-agent claim`: a one-time code with which to set the password of the local pages."""

import sys
from pathlib import Path

from agent.cli.arguments import CommandParser
from agent.cli.common import AS_SERVICE_HELP, EX_CANTCREAT, EX_CONFIG, EX_OK, read_config
from agent.cli.service import find_service
from agent.paths import state_directory
from agent.web.claim_code import VALID_FOR_S, issue_claim_code


def main(argv: list[str]) -> int:
    """Exit code 0; 78 where the config is faulty, 73 where nothing can be written."""
    parser = CommandParser(
        "claim",
        "Print a one-time code for the local pages, for the first password or one that was "
        "forgotten. It works while the agent runs, and earlier codes are dead.",
    )
    parser.add_argument("--config", type=Path, help="the config file to read")
    parser.add_argument("--as-service", action="store_true", help=AS_SERVICE_HELP)
    args = parser.parse_args(argv)
    service = find_service() if args.as_service else None
    config = read_config(args.config, service)
    if config is None:
        return EX_CONFIG
    configured = config.state.directory
    folder = (
        state_directory(configured)
        if service is None
        else state_directory(configured, service.environ)
    )
    try:
        code = issue_claim_code(folder)
    except OSError as error:
        hint = "" if args.as_service else "; for the installed service: --as-service, with sudo"
        print(f"flatpeak-agent claim: {folder}: {error.strerror}{hint}", file=sys.stderr)
        return EX_CANTCREAT
    section = getattr(config, "web", None)
    if section is None or not section.enabled:
        print("The local pages are off: set web.enabled to true and restart.", file=sys.stderr)
    print(f"{code}\nGood for {VALID_FOR_S / 60:.0f} minutes, once.")
    return EX_OK
