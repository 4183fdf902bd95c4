"""How to reach the broker."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field, SecretStr, model_validator

from agent.config.base import Section


class ProtocolChoice(StrEnum):
    AUTO = "auto"
    V5 = "5"
    V311 = "3.1.1"


class TlsSection(Section):
    """`ca_file` left out means the system's authorities; certificate and key go together."""

    enabled: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _pair(self) -> "TlsSection":
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file are given together or not at all")
        return self


class MqttSection(Section):
    host: str = "localhost"
    port: int = Field(default=1883, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    base: str = Field(default="flatpeak", pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")
    client_id: str = Field(default="", max_length=64, pattern=r"^[A-Za-z0-9_.-]*$")
    protocol: ProtocolChoice = ProtocolChoice.AUTO
    keepalive_s: int = Field(default=30, ge=5, le=3600)
    tls: TlsSection = TlsSection()
