"""`flatpeak-agent schema`: JSON Schema and AsyncAPI of every topic, OpenAPI of the local API."""

import json
import sys
from pathlib import Path

from agent.cli.arguments import CommandParser
from agent.cli.common import EX_CANTCREAT, EX_OK
from agent.contracts.catalogue import TOPICS, asyncapi, json_schema
from agent.web.api.openapi import openapi
from integrations.homeassistant.commands import TOPICS as HOME_ASSISTANT

DESCRIBED = (*TOPICS, *HOME_ASSISTANT)


def main(argv: list[str]) -> int:
    """Exit code 0; 73 where nothing can be written."""
    parser = CommandParser(
        "schema",
        "Write the contracts: with devices one JSON Schema a topic and one AsyncAPI file, and the "
        "OpenAPI file of the local API.",
    )
    parser.add_argument(
        "directory", type=Path, nargs="?", help="where to write; left out: AsyncAPI on stdout"
    )
    args = parser.parse_args(argv)
    if args.directory is None:
        print(json.dumps(asyncapi(DESCRIBED), indent=2))
        return EX_OK
    try:
        args.directory.mkdir(parents=True, exist_ok=True)
        for topic in DESCRIBED:
            text = json.dumps(json_schema(topic), indent=2)
            (args.directory / f"{topic.key}.schema.json").write_text(text + "\n")
        for name, document in (("asyncapi", asyncapi(DESCRIBED)), ("openapi", openapi())):
            text = json.dumps(document, indent=2)
            (args.directory / f"{name}.json").write_text(text + "\n")
    except OSError as error:
        why = "is no folder" if isinstance(error, FileExistsError) else error.strerror
        print(f"flatpeak-agent schema: {error.filename or args.directory}: {why}", file=sys.stderr)
        return EX_CANTCREAT
    print(f"{len(DESCRIBED)} schemas, openapi.json and asyncapi.json in {args.directory}")
    return EX_OK
