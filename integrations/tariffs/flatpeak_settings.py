"""The settings of the source `flatpeak`, and how it is built from them."""

from datetime import date
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from agent.clock import Clock
from agent.config.base import matching
from agent.config.tariff import TariffSection
from agent.energy.rates import Direction
from agent.ports import TariffSource


def _url(value: object) -> str:
    if isinstance(value, str):
        parts = urlsplit(value)
        if parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc:
            return value
    raise ValueError("expected a URL such as https://api.flatpeak.com, without user and password")


Url = Annotated[str, BeforeValidator(_url)]


Version = Annotated[str, matching(r"[!-~]*", "a version such as 2024-08-24.zero")]


class FlatPeakConfig(TariffSection):
    """A location at FlatPeak: the home whose tariff was connected there."""

    source: Literal["flatpeak"]
    location_id: str = Field(min_length=1)
    directions: tuple[Direction, ...] = (Direction.IMPORT,)
    base_url: Url = "https://api.flatpeak.com"
    auth: Literal["basic", "bearer", "none"] = "basic"
    account_id: str = ""
    api_key: SecretStr = SecretStr("")
    token: SecretStr = SecretStr("")
    token_url: Url | None = None
    version: Version = "2024-08-24.zero"
    include_carbon: bool = False
    timeout_s: float = Field(default=20.0, ge=1, le=300)
    contract_start: date | None = None

    @property
    def address(self) -> str:
        return self.base_url

    @property
    def contract_since(self) -> date | None:
        return self.contract_start

    @model_validator(mode="after")
    def _check_credentials(self) -> "FlatPeakConfig":
        if not self.directions or len(set(self.directions)) < len(self.directions):
            raise ValueError("directions: expected import, export or both, each once")
        if self.auth == "basic" and not (self.account_id and self.api_key.get_secret_value()):
            raise ValueError(
                "auth basic needs account_id and api_key; other ways are auth bearer and auth none"
            )
        if self.auth == "bearer" and not (self.token.get_secret_value() or self.token_url):
            raise ValueError("auth bearer needs token or token_url, or both")
        return self


def build(config: FlatPeakConfig, clock: Clock) -> TariffSource:
    # Its HTTP client weighs 10 MB: a house with fixed prices does without.
    from integrations.tariffs.flatpeak import Auth, BasicLogin, Bearer, FlatPeakTariff, NoAuth

    auth: Auth = NoAuth()
    if config.auth == "basic":
        auth = BasicLogin(config.account_id, config.api_key.get_secret_value())
    elif config.auth == "bearer":
        auth = Bearer(config.token.get_secret_value(), config.token_url or "")
    return FlatPeakTariff(
        config.location_id,
        auth,
        clock,
        directions=config.directions,
        base_url=config.base_url,
        version=config.version,
        include_carbon=config.include_carbon,
        timeout_s=config.timeout_s,
    )
