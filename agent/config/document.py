"""The whole configuration as one model. Defaults make a file of a few lines enough.

Which tariff sources and which kinds of devices there are, the config is given (`config_model`).
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Union, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    create_model,
    model_validator,
)

from agent.config.base import FolderPath, Section, refuse
from agent.config.cross_checks import cross_faults
from agent.config.devices import AdapterSection, DeviceSection
from agent.config.mqtt import MqttSection
from agent.config.site import PlannerSection, SiteSection
from agent.config.tariff import TariffSection


class StateSection(Section):
    """Where the database lies; left out, systemd's or the system's usual place."""

    directory: FolderPath | None = None


class LogSection(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(Section):
    site: SiteSection = SiteSection()
    tariff: TariffSection
    mqtt: MqttSection = MqttSection()
    planner: PlannerSection = PlannerSection()
    devices: tuple[DeviceSection, ...] = ()
    state: StateSection = StateSection()
    log: LogSection = LogSection()

    @property
    def base_topic(self) -> str:
        return f"{self.mqtt.base}/{self.site.id}"

    @property
    def appliances(self) -> tuple[DeviceSection, ...]:
        """The devices that are told what to do."""
        return tuple(device for device in self.devices if device.controlled)

    @model_validator(mode="after")
    def _whole(self) -> "Config":
        refuse(cross_faults(self))
        return self


def config_model(
    tariffs: Iterable[type[TariffSection]],
    devices: Iterable[type[DeviceSection]],
    adapters: Iterable[type[AdapterSection]],
    companions: Mapping[str, type[Section]],
) -> type[Config]:
    """The Config that knows these tariff sources, kinds of devices, adapters and companions.

    Raises ValueError where two of them have the same name.
    """
    sources, kinds = _by_name(tariffs, "source"), _by_name(devices, "type")
    families = _by_name(adapters, "family")
    adapter: Any = Annotated[_choice(families, "family"), BeforeValidator(_family_alone)]
    spoken_to = {name: _spoken_to(kind, adapter) for name, kind in kinds.items()}
    device: Any = Annotated[_choice(spoken_to, "type"), AfterValidator(_is_served)]
    sections: dict[str, Any] = {name: (model, model()) for name, model in companions.items()}
    model: type[Config] = create_model(
        "Config",
        __base__=Config,
        tariff=(_choice(sources, "source"), ...),
        devices=(tuple[device, ...], ()),
        **sections,
    )
    return model


def _spoken_to(kind: type[Section], adapter: Any) -> type[Section]:
    """The kind's section with what its adapter may be."""
    model: type[Section] = create_model(
        kind.__name__,
        __base__=kind,
        __module__=kind.__module__,
        adapter=(adapter, Field(default="native", validate_default=True)),
    )
    return model


def _family_alone(value: object) -> object:
    """`adapter: native` is short for an adapter without keys of its own."""
    return {"family": value} if isinstance(value, str) else value


def _is_served(section: DeviceSection) -> DeviceSection:
    adapter = section.adapter
    if adapter.serves and section.type not in adapter.serves:
        serves = " or ".join(sorted(adapter.serves))
        raise ValueError(f"adapter: {adapter.family} speaks to {serves}, not to {section.type}")
    return section


def _by_name(sections: Iterable[type[Section]], key: str) -> dict[str, type[Section]]:
    out: dict[str, type[Section]] = {}
    for section in sections:
        (name,) = get_args(section.model_fields[key].annotation)
        if name in out:
            raise ValueError(
                f"{name!r} is the {key} of {out[name].__name__} and {section.__name__}"
            )
        out[name] = section
    return out


def _choice(sections: Mapping[str, type[Section]], key: str) -> Any:
    """A section told apart by `key`."""
    names = list(sections)
    expected = " or ".join((", ".join(names[:-1]), names[-1]) if len(names) > 1 else names)

    def found(value: object) -> object:
        return value.get(key) if isinstance(value, dict) else getattr(value, key, None)

    tagged = [Annotated[section, Tag(name)] for name, section in sections.items()]
    discriminator = Discriminator(
        found,
        custom_error_type=f"{key}_unknown",
        custom_error_message=f"expected {expected}",
    )
    return Annotated[Union[tuple(tagged)], discriminator]  # noqa: UP007  # of a list of types
