"""The schemas that are handed out are real JSON Schemas and one valid AsyncAPI document."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from agent.cli.schema import DESCRIBED, main
from agent.contracts.catalogue import Topic, asyncapi, json_schema


@pytest.mark.parametrize("topic", DESCRIBED, ids=lambda topic: topic.key)
def test_each_topic_has_a_schema_that_is_one(topic: Topic) -> None:
    Draft202012Validator.check_schema(json_schema(topic))


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi(DESCRIBED)
    assert document["asyncapi"] == "3.0.0"

    def check(value: object) -> None:
        if isinstance(value, dict):
            if isinstance(reference := value.get("$ref"), str):
                found: object = document
                for part in reference.removeprefix("#/").split("/"):
                    assert isinstance(found, dict)
                    found = found[part]
            for item in value.values():
                check(item)
        elif isinstance(value, list):
            for item in value:
                check(item)

    check(document)
    actions = {operation["action"] for operation in document["operations"].values()}
    assert actions == {"send", "receive"}


def test_the_schemas_within_the_asyncapi_document_are_of_its_draft() -> None:
    schemas = asyncapi()["components"]["schemas"]
    for schema in schemas.values():
        Draft7Validator.check_schema(schema)
    compact = Draft7Validator(schemas["CompactSchedule"])
    [good, _] = schemas["CompactSchedule"]["examples"]
    assert compact.is_valid(good)
    for wrong in ([["a", 1]], [[0]], [[0, 1, 2]], [[0, "x"]]):
        assert not compact.is_valid(good | {"p": wrong})


def test_the_command_writes_one_file_a_topic(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "schemas")]) == 0
    assert len(list((tmp_path / "schemas").glob("*.schema.json"))) == len(DESCRIBED)
    assert main([]) == 0
    assert json.loads(capsys.readouterr().out.split("asyncapi.json in", 1)[1].split("\n", 1)[1])
