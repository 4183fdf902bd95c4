"""The settings of the source `flatpeak`, and how it is built from them."""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from agent.clock import Clock
from agent.config.base import KeyFault, matching, refuse
from agent.config.tariff import TariffSection
from agent.energy.rates import Direction
from agent.ports import TariffSource

# How FlatPeak's names begin (docs.flatpeak.com, "Authentication").
ACCOUNT_BEGINS, KEY_BEGINS = "acc_", "sk_"


def _url(value: object) -> str:
    if isinstance(value, str):
        parts = urlsplit(value)
        if parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc:
            return value
    raise ValueError("expected a URL such as https://api.flatpeak.com, without user and password")


Url = Annotated[str, BeforeValidator(_url)]


Version = Annotated[str, matching(r"[!-~]*", "a version such as 2024-08-24.zero")]


class FlatPeakConfig(TariffSection):
    """A location at FlatPeak: the home whose tariff was connected there.

    `location_id` and `directions` win over what was connected by the page Tariff or the command
    connect, and are left out where those shall count.

    `pairing`: `base_url` is a device maker's backend that knows this gateway only once its owner
    has typed the code that the maker's app or letter gave. FlatPeak's public documents leave that
    interface open; assumed is `POST <base_url>/pair` with `{"pairing_code": "..."}`, without
    credentials; 2xx, with auth bearer `{"token": "..."}`, from then on shown as the gateway's own
    bearer (to `token_url`, where there is one); any 4xx for a code that is not good. All other
    paths are FlatPeak's, below `base_url`.

    `connect_url`: Connect's own pages, or a copy of them. `callback_url`: where the person ends up
    when the session was not begun on the page Tariff.
    """

    source: Literal["flatpeak"]
    location_id: str = ""
    directions: tuple[Direction, ...] | None = None
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
    pairing: bool = False
    connect_url: Url = "https://connect-web.flatpeak.com/"
    callback_url: Url | None = None

    @property
    def address(self) -> str:
        return self.base_url

    @property
    def contract_since(self) -> date | None:
        return self.contract_start

    @property
    def names_export(self) -> bool:
        return Direction.EXPORT in (self.directions or ())

    @model_validator(mode="after")
    def _check_credentials(self) -> "FlatPeakConfig":
        refuse(self._faults())
        return self

    def _faults(self) -> Iterator[KeyFault]:
        chosen = self.directions
        if chosen is not None and (not chosen or len(set(chosen)) < len(chosen)):
            yield KeyFault(("directions",), "expected import, export or both, each once")
        if self.auth == "basic":
            yield from self._basic_faults()
        has_token = bool(self.token.get_secret_value() or self.token_url)
        if self.auth == "bearer" and not (has_token or self.pairing):
            yield KeyFault((), "auth bearer needs token or token_url, or both, or pairing")

    def _basic_faults(self) -> Iterator[KeyFault]:
        key = self.api_key.get_secret_value()
        if not (self.account_id and key):
            expected = (
                "auth basic needs account_id and api_key; other ways are auth bearer and auth none"
            )
            yield KeyFault((), expected)
        # Neither value is shown: what stands under account_id may be the key.
        if self.account_id.startswith(KEY_BEGINS):
            expected = (
                f"this is an API key ({KEY_BEGINS}…); expected the account ({ACCOUNT_BEGINS}…)"
            )
            yield KeyFault(("account_id",), expected)
        if key.startswith(ACCOUNT_BEGINS):
            expected = (
                f"this is an account ({ACCOUNT_BEGINS}…); expected an API key ({KEY_BEGINS}…)"
            )
            yield KeyFault(("api_key",), expected)
        if self.pairing:
            expected = "is for auth bearer and auth none: a maker's backend"
            yield KeyFault(("pairing",), expected)


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
        connect_url=config.connect_url,
        callback_url=config.callback_url or "",
        pairing=config.pairing,
    )
