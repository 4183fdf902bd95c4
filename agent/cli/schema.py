"""`flatpeak-agent schema`: the JSON Schema of every topic, and one AsyncAPI 3 document."""

import json
import sys
from pathlib import Path

from agent.cli.arguments import CommandParser
from agent.cli.common import EX_CANTCREAT, EX_OK
from agent.contracts.catalogue import TOPICS, asyncapi, json_schema


def main(argv: list[str]) -> int:
    """Exit code 0; 73 where nothing can be written."""
    parser = CommandParser(
        "schema", "Write the contract with devices: one JSON Schema a topic, one AsyncAPI file."
    )
    parser.add_argument(
        "directory", type=Path, nargs="?", help="where to write; left out: AsyncAPI on stdout"
    )
    args = parser.parse_args(argv)
    if args.directory is None:
        print(json.dumps(asyncapi(), indent=2))
        return EX_OK
    try:
        args.directory.mkdir(parents=True, exist_ok=True)
        for topic in TOPICS:
            text = json.dumps(json_schema(topic), indent=2)
            (args.directory / f"{topic.key}.schema.json").write_text(text + "\n")
        (args.directory / "asyncapi.json").write_text(json.dumps(asyncapi(), indent=2) + "\n")
    except OSError as error:
        why = "is no folder" if isinstance(error, FileExistsError) else error.strerror
        print(f"flatpeak-agent schema: {error.filename or args.directory}: {why}", file=sys.stderr)
        return EX_CANTCREAT
    print(f"{len(TOPICS)} schemas and asyncapi.json in {args.directory}")
    return EX_OK
