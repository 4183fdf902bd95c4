"""`flatpeak-agent schema`: the JSON Schema of every topic, and one AsyncAPI 3 document."""

import argparse
import json
import sys
from pathlib import Path

from agent.cli.common import EX_OK, EX_USAGE
from agent.contracts.catalogue import TOPICS, asyncapi, json_schema


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="flatpeak-agent schema",
        description="Write the contract with devices: one JSON Schema a topic, one AsyncAPI file.",
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
        print(f"flatpeak-agent schema: {error}", file=sys.stderr)
        return EX_USAGE
    print(f"{len(TOPICS)} schemas and asyncapi.json in {args.directory}")
    return EX_OK
