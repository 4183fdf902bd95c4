"""What hints tell a person to type reaches the agent that gave them."""

from pathlib import Path

import pytest

from agent.command_line import own_command_line

SERVICE = {"STATE_DIRECTORY": "/var/lib/flatpeak-agent"}


@pytest.mark.parametrize(
    ("argv", "environ", "told"),
    [
        (["run"], {}, "flatpeak-agent claim"),
        (["run"], SERVICE, "sudo flatpeak-agent claim --as-service"),
        (["check", "--as-service"], {}, "sudo flatpeak-agent claim --as-service"),
        (["run", "--config", "/a b/c.yaml"], {}, "flatpeak-agent claim --config '/a b/c.yaml'"),
        (["run", "--config=c.yaml"], {}, f"flatpeak-agent claim --config {Path.cwd()}/c.yaml"),
        (["run"], {"FLATPEAK_AGENT_CONFIG": "/c.yaml"}, "flatpeak-agent claim --config /c.yaml"),
        (
            ["run", "--config", "/c.yaml"],
            SERVICE,
            "sudo flatpeak-agent claim --as-service --config /c.yaml",
        ),
    ],
)
def test_a_hint_leads_to_the_folders_of_whoever_gives_it(
    argv: list[str], environ: dict[str, str], told: str
) -> None:
    assert own_command_line("claim", argv, environ) == told


def test_a_stranger_is_shown_no_path() -> None:
    argv = ["run", "--config", "/home/ada/c.yaml"]
    assert own_command_line("claim", argv, {}, to_strangers=True) == (
        "flatpeak-agent claim --config FILE"
    )
