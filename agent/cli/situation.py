"""`flatpeak-agent situation`: what a plan of the agent's was made from, to plan it again."""

import sys

from agent.cli.arguments import CommandParser, instant
from agent.cli.common import EX_NOINPUT, EX_OK
from agent.cli.database import add_folder_options, copied
from agent.clock import SystemClock
from agent.records.kept_plans import read_situation


def main(argv: list[str]) -> int:
    """Exit code 0; 66 without a database, or where no plan is kept."""
    parser = CommandParser(
        "situation",
        "The Situation behind the newest plan that the agent kept, as JSON: for `plan "
        "--situation`, or for whoever looks why a plan is as it is. A running agent goes on.",
    )
    parser.add_argument(
        "--at", type=instant, metavar="INSTANT", help="that of the last plan made up to then"
    )
    add_folder_options(parser)
    args = parser.parse_args(argv)
    store = copied("situation", args)
    if isinstance(store, int):
        return store
    try:
        document = read_situation(store, args.at or SystemClock().now())
    finally:
        store.close()
    if document is None:
        print("flatpeak-agent situation: no plan is kept from then", file=sys.stderr)
        return EX_NOINPUT
    print(document)
    return EX_OK
