"""Names that two would have: of devices where people see them, of topics on the broker."""

from collections.abc import Iterator

from agent.cli.checks.result import CheckResult, warning
from agent.config import Config


def check_names(config: Config) -> Iterator[CheckResult]:
    """A warning for each device that is called as an earlier one is, or speaks among our topics."""
    yield from _one_name(config)
    yield from _among_ours(config)


def _one_name(config: Config) -> Iterator[CheckResult]:
    first: dict[str, str] = {}
    for device in config.appliances:
        # Home Assistant's ids know no hyphen.
        if (other := first.setdefault(device.id.replace("-", "_"), device.id)) != device.id:
            yield warning(
                device.id,
                f"{other} and {device.id} are one name in Home Assistant: what one of them does "
                "would be shown at the other",
                "give one of them another id",
            )


def _among_ours(config: Config) -> Iterator[CheckResult]:
    ours = f"{config.base_topic}/"
    for index, device in enumerate(config.devices):
        for key in type(device.adapter).model_fields:
            topic = getattr(device.adapter, key)
            if isinstance(topic, str) and topic.startswith(ours):
                yield warning(
                    device.id,
                    f"devices[{index}].adapter.{key} {topic} lies among the agent's own topics",
                    f"give the device one that does not begin with {ours}",
                )
