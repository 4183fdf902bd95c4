"""`flatpeak-agent claim`: a one-time code with which to set the password of the local pages."""

import sys

from agent.cli.arguments import CommandParser
from agent.cli.common import EX_CANTCREAT, EX_CONFIG, EX_OK
from agent.cli.config_options import add_config_options, read_chosen
from agent.web.claim_code import VALID_FOR_S, issue_claim_code


def main(argv: list[str]) -> int:
    """Exit code 0; 78 where the config is faulty, 73 where nothing can be written."""
    parser = CommandParser(
        "claim",
        "Print a one-time code for the local pages, for the first password or one that was "
        "forgotten. It works while the agent runs, and earlier codes are dead.",
    )
    add_config_options(parser)
    args = parser.parse_args(argv)
    read = read_chosen(args)
    if read is None:
        return EX_CONFIG
    try:
        code = issue_claim_code(read.folder)
    except OSError as error:
        said = f"{read.folder}: {error.strerror}{read.hint}"
        print(f"flatpeak-agent claim: {said}", file=sys.stderr)
        return EX_CANTCREAT
    section = getattr(read.config, "web", None)
    if section is None or not section.enabled:
        print("The local pages are off: set web.enabled to true and restart.", file=sys.stderr)
    print(f"{code}\nGood for {VALID_FOR_S / 60:.0f} minutes, once.")
    return EX_OK
