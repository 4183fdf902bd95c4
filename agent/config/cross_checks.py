"""What sections say of each other: ids, what is switched, places, limits. Each fault at its key."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.config.base import KeyFault
from agent.config.devices import DeviceSection

if TYPE_CHECKING:
    from agent.config.document import Config

MOST_TOPIC_BYTES = 64


def cross_faults(config: "Config") -> Iterator[KeyFault]:
    """All that is wrong between the sections, each of which is right by itself."""
    if len(config.base_topic) > MOST_TOPIC_BYTES:
        expected = f"expected at most {MOST_TOPIC_BYTES} bytes together with site.id"
        yield KeyFault(("mqtt", "base"), expected, config.mqtt.base)
    yield from _repeated_ids(config)
    yield from _switched_twice(config)
    yield from _grid_meters(config)
    yield from _unknown_controllable(config)
    if config.site.latitude is None or config.site.longitude is None:
        yield from _without_place(config)


def _at(config: "Config", index: int, *keys: str | int) -> tuple[str | int, ...]:
    # Where pydantic would say that a fault stands: a device is one of several kinds.
    return ("devices", index, config.devices[index].type, *keys)


def _repeated_ids(config: "Config") -> Iterator[KeyFault]:
    first: dict[str, int] = {}
    for index, device in enumerate(config.devices):
        if (other := first.setdefault(device.id, index)) != index:
            expected = f"expected a name of its own, devices[{other}] has this one"
            yield KeyFault(_at(config, index, "id"), expected, device.id)


def _switched_twice(config: "Config") -> Iterator[KeyFault]:
    """Two devices on one relay would switch against each other."""
    first: dict[str, int] = {}
    for index, device in enumerate(config.devices):
        if not device.controlled:
            continue
        for key, place in device.adapter.controls().items():
            if (other := first.setdefault(place, index)) != index:
                keys = _at(config, index, "adapter", device.adapter.family, key)
                name = config.devices[other].id
                value = getattr(device.adapter, key)
                expected = (
                    f"{place} is switched for devices[{other}] ({name}) already; expected one "
                    "device for it, or another topic or number"
                )
                yield KeyFault(keys, expected, value)


def _grid_meters(config: "Config") -> Iterator[KeyFault]:
    places = [i for i, d in enumerate(config.devices) if getattr(d, "role", None) == "grid"]
    for index in places[1:]:
        expected = (
            f"devices[{places[0]}] ({config.devices[places[0]].id}) is the grid meter already; "
            "expected one"
        )
        yield KeyFault(_at(config, index, "role"), expected, "grid")


def _unknown_controllable(config: "Config") -> Iterator[KeyFault]:
    appliances = [device.id for device in config.appliances]
    for index, name in enumerate(config.site.controllable_devices or ()):
        if name not in appliances:
            expected = f"no device is called so; expected some of {', '.join(appliances)}"
            yield KeyFault(("site", "controllable_devices", index), expected, name)


def _without_place(config: "Config") -> Iterator[KeyFault]:
    needed = "site.latitude and site.longitude are needed for"
    if config.site.pv is not None:
        yield KeyFault(("site", "pv"), f"{needed} it")
    for index, device in enumerate(config.devices):
        for keys, edge in _sun_times(device):
            yield KeyFault(_at(config, index, *keys), f"{needed} {device.id}'s window", edge)


def _sun_times(device: DeviceSection) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for index, need in enumerate(getattr(device, "needs", ())):
        for name in ("start", "end"):
            edge: str = getattr(need.window, name)
            if edge.startswith("sun"):
                yield ("needs", index, "window", name), edge
