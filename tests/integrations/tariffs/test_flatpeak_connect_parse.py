"""Answers about a Connect session: what is kept for years is whole, or not believed."""

import json

import pytest

from agent.errors import Malformed
from integrations.tariffs.flatpeak_connect_parse import parse_result

TOKEN = "cot_6731b0aa5b0c9e2d7f104d01"


def answer(location_id: object) -> str:
    return json.dumps({"id": TOKEN, "location_id": location_id, "complete_action": "SAVE"})


@pytest.mark.parametrize("location_id", ["", None])
def test_no_location_is_none_yet(location_id: object) -> None:
    assert parse_result(answer(location_id), TOKEN) is None


@pytest.mark.parametrize(
    "location_id", ["loc_" + "a" * 61, "loc 1", "loc_\u00e4", "loc_1\n", 17, ["a"]]
)
def test_what_is_no_id_is_not_believed(location_id: object) -> None:
    with pytest.raises(Malformed):
        parse_result(answer(location_id), TOKEN)


def test_an_id_is_kept_to_the_letter() -> None:
    result = parse_result(answer("loc_659200800000000000000001"), TOKEN)
    assert result is not None
    assert result.location_id == "loc_659200800000000000000001"
