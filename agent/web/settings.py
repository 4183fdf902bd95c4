"""The section `web` of the config."""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from agent.clock import Clock
from agent.config import Config
from agent.config.base import (
    CertificatePath,
    KeyPath,
    Section,
    certificate_faults,
    matching,
    refuse,
)
from agent.config.mqtt import Host
from agent.ports import Companion, CompanionServices
from agent.web.languages import LANGUAGES

AUTO = "auto"
DnsName = Annotated[
    str,
    Field(max_length=253),
    matching(
        r"(?i)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*",
        "a name such as gateway.lan, without http:// and port",
    ),
]


def _language(value: str) -> str:
    if value not in (AUTO, *LANGUAGES):
        raise ValueError(f"expected {AUTO}, {' or '.join(LANGUAGES)}")
    return value


class WebSection(Section):
    """`host` left out: every address of the machine. `names` are further names it is known by.

    `lan_only`: nobody is answered whose address is a public one, such as through an open router.
    """

    enabled: bool = False
    host: Host | None = None
    port: int = Field(default=8780, ge=1, le=65535)
    names: tuple[DnsName, ...] = ()
    lan_only: bool = True
    language: Annotated[str, AfterValidator(_language)] = AUTO
    certificate_file: CertificatePath | None = None
    key_file: KeyPath | None = None

    @model_validator(mode="after")
    def _pair(self) -> "WebSection":
        refuse(certificate_faults(self.certificate_file, self.key_file))
        return self


def build(
    section: WebSection, config: Config, services: CompanionServices, clock: Clock
) -> Companion:
    # Imported here, so that who has no pages does not pay for them.
    from agent.web.companion import WebServer

    return WebServer(section, config, services, clock)
