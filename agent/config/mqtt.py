"""How to reach the broker."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from agent.config.base import (
    CertificatePath,
    KeyFault,
    KeyPath,
    Section,
    certificate_faults,
    matching,
    refuse,
)


def _host(value: str) -> str:
    # A colon stands in IPv6 addresses, and there are at least two.
    if not re.fullmatch(r"[^\s/:@\[\]]+|[0-9A-Fa-f.]*:[^\s/@\[\]]*:[^\s/@\[\]]*", value):
        raise ValueError(
            "expected a name or address such as broker.local, without mqtt:// and port; "
            "the port is mqtt.port"
        )
    return value


Host = Annotated[str, AfterValidator(_host)]


Base = Annotated[
    str,
    matching(
        r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*",
        "letters, digits, - and _, with / between levels and none around them",
    ),
]
ClientId = Annotated[
    str, matching(r"[A-Za-z0-9_.-]{0,64}", "at most 64 letters, digits, dots, - and _")
]


class ProtocolChoice(StrEnum):
    AUTO = "auto"
    V5 = "5"
    V311 = "3.1.1"


class TlsSection(Section):
    """Files without `enabled` are refused: nobody names them for a connection in plain text.

    `ca_file` left out means the system's authorities; certificate and key go together.
    """

    enabled: bool = False
    ca_file: CertificatePath | None = None
    certificate_file: CertificatePath | None = None
    key_file: KeyPath | None = None

    @model_validator(mode="after")
    def _pair(self) -> "TlsSection":
        faults = list(certificate_faults(self.certificate_file, self.key_file))
        files = ("ca_file", "certificate_file", "key_file")
        given = [name for name in files if getattr(self, name) is not None]
        # Who writes `enabled: false` knows what he does.
        if given and "enabled" not in self.model_fields_set:
            expected = f"is missing; without it {given[0]} does nothing: expected enabled: true"
            faults.append(KeyFault(("enabled",), expected))
        refuse(faults)
        return self


class MqttSection(Section):
    host: Host = "localhost"
    port: int = Field(default=1883, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    base: Base = "flatpeak"
    client_id: ClientId = ""
    protocol: ProtocolChoice = ProtocolChoice.AUTO
    keepalive_s: int = Field(default=30, ge=5, le=3600)
    tls: TlsSection = TlsSection()
