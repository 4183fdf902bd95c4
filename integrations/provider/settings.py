"""What a supplier sets: `provider.yaml`, or variables as FLATPEAK_PROVIDER__DATABASE__URL.

What FlatPeak's public documents leave open (paths, names, envelope) has a default and can be set.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from agent.config.base import CertificatePath, KeyPath, Section, matching
from agent.config.load import load_config
from agent.paths import APP

PREFIX = "FLATPEAK_PROVIDER__"
EXAMPLE = "integrations/provider/example/provider.yaml"
CONFIG_VARIABLE = "FLATPEAK_PROVIDER_CONFIG"
TOKEN = "{connect_token}"
# First parts of the paths of what we serve ourselves.
OWN_PATHS = ("api", "apps", "healthz", "oauth", "s", "static")
FACTORY = r"([A-Za-z_][\w.]*:[A-Za-z_]\w*)?"
RETRY_DELAY_S = 0.5
SQLITE = re.compile(r"sqlite:///(?!:memory:)[^?]+(\?.*)?")
# User and password, host, port, name and parameters; what follows a password's @ is no host.
POSTGRESQL = re.compile(
    r"postgresql://([^:/@]*(:[^@]*)?@)?(\[[0-9a-fA-F:.]+\]|[^:/?@]*)(:\d{1,5})?(/[^?@]*)?(\?[^@]*)?"
)
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _origin(value: str) -> str:
    url = urlsplit(value)
    is_web = url.scheme in ("http", "https") and bool(url.hostname)
    if not is_web or url.path not in ("", "/") or url.query or url.fragment or "@" in url.netloc:
        raise ValueError(
            "expected a host name of its own, without a path, a user or anything behind it, such "
            "as https://login.supplier.example"
        )
    return f"{url.scheme}://{url.netloc}"


def _with_token(value: str) -> str:
    if not value.startswith("/") or TOKEN not in value:
        raise ValueError(f"expected a path with {TOKEN} in it, beginning with /")
    return value


def _database(value: str) -> str:
    scheme = value.partition(":")[0]
    if scheme not in ("sqlite", "postgresql"):
        raise ValueError(
            "expected sqlite:////var/lib/flatpeak-agent-provider/provider.sqlite or "
            "postgresql://user:password@host/name"
        )
    if scheme == "sqlite" and not SQLITE.fullmatch(value):
        raise ValueError(
            "expected a file: sqlite:////var/lib/flatpeak-agent-provider/provider.sqlite"
        )
    if scheme == "postgresql" and not POSTGRESQL.fullmatch(value):
        raise ValueError(
            "expected postgresql://user:password@host:5432/name; an @ in the password is written "
            "%40 there, a % as %25"
        )
    return value


def _plain_path(value: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", value):
        raise ValueError("expected a path such as /flatpeak, of letters, digits and . _ ~ -")
    if value.split("/")[1] in OWN_PATHS:
        own = ", ".join(f"/{name}" for name in OWN_PATHS)
        raise ValueError(f"expected another path: {own} are pages of our own")
    return value


def _help_page(value: str) -> str:
    if value and not re.fullmatch(r"(https?://[^/\s]+|mailto:[^@\s]+@)\S*", value):
        raise ValueError("expected https://… or mailto:…, or nothing")
    return value


Origin = Annotated[str, AfterValidator(_origin)]
TokenPath = Annotated[str, AfterValidator(_with_token)]
# HTTP Basic ends the name at the colon.
BasicName = Annotated[str, matching(r"[^:\s]+", "a name without colons and spaces")]
UrlPath = Annotated[str, AfterValidator(_plain_path)]


class BrandSection(Section):
    """What customers read on the pages."""

    name: str = Field(default="Energy supplier", min_length=1, max_length=60)
    support_url: Annotated[str, AfterValidator(_help_page)] = ""


class HttpSection(Section):
    """Where the pages and the tariff endpoint listen.

    Behind load balancers, `proxies` says how many of them add to X-Forwarded-For; 0 believes none
    of it. Then nobody but they may reach the port: who comes past them could write it himself.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8480, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    proxies: int = Field(default=0, ge=0, le=5)
    # Of each worker; half of them for one network where `proxies` is 0.
    connections: int = Field(default=1000, ge=16, le=100_000)
    certificate: CertificatePath | None = None
    key: KeyPath | None = None
    authentication_path: UrlPath = "/flatpeak"


class DatabaseSection(Section):
    url: Annotated[
        SecretStr, AfterValidator(lambda value: SecretStr(_database(value.get_secret_value())))
    ]
    connections: int = Field(default=8, ge=1, le=100)


class FlatPeakSection(Section):
    """The FlatPeak API, with the credentials that FlatPeak gives at onboarding."""

    url: Origin = "https://api.flatpeak.com"
    username: BasicName
    password: SecretStr = Field(min_length=1)
    # Tried in this order; the next one only where the one before does not know the path or token.
    context_paths: tuple[TokenPath, ...] = Field(
        default=(f"/connect/session/{TOKEN}", f"/connect/account-info/{TOKEN}"), min_length=1
    )
    submit_path: TokenPath = f"/connect/session/{TOKEN}"
    submit_method: Literal["POST", "PUT", "PATCH"] = "POST"
    contract_start_key: str = "start_date"
    contract_end_key: str = "end_date"
    return_parameter: Annotated[str, matching("[a-z_]{1,40}", "small letters and _")] = (
        "connect_token"
    )
    # Empty: the redirect after a refusal says nothing but the token.
    failure_parameter: Annotated[str, matching("[a-z_]{0,40}", "small letters and _")] = "error"
    timeout_s: float = Field(default=10, gt=0, le=60)
    attempts: int = Field(default=3, ge=1, le=5)
    share_address: bool = True

    @property
    def outcome_within_s(self) -> float:
        """The longest that telling an outcome takes: what is not taken is followed by ERROR."""
        pauses = RETRY_DELAY_S * sum(range(self.attempts))
        return 2 * (self.attempts * self.timeout_s + pauses)


class OAuthSection(Section):
    """With what FlatPeak renews its tokens at /oauth/token, and how long they live."""

    client_id: BasicName = "flatpeak"
    client_secret: SecretStr = Field(min_length=16)
    access_token_hours: float = Field(default=72, gt=0, le=24 * 366)
    refresh_token_days: float = Field(default=400, gt=0, le=3660)
    # A reply that was lost on its way may be asked for again so long.
    reuse_grace_s: float = Field(default=120, ge=0, le=3600)


class PollingSection(Section):
    min_interval_s: int = Field(default=900, ge=0, le=7 * 86400)
    horizon_hours: int = Field(default=48, ge=24, le=24 * 31)


class LoginSection(Section):
    wrong_per_session: int = Field(default=3, ge=1, le=20)
    wrong_per_login: int = Field(default=10, ge=1, le=1000)
    wrong_per_address: int = Field(default=100, ge=1, le=100_000)
    unknown_tokens_per_address: int = Field(default=100, ge=1, le=100_000)
    window_minutes: int = Field(default=15, ge=1, le=24 * 60)
    session_minutes: int = Field(default=30, ge=1, le=24 * 60)


class LogSection(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"


class ProviderConfig(Section):
    """`customers` names a customer system in place of our tables (see customers.py)."""

    public_url: Origin
    customers: Annotated[str, matching(FACTORY, "module:function, or nothing")] = ""
    brand: BrandSection = BrandSection()
    http: HttpSection = HttpSection()
    database: DatabaseSection
    flatpeak: FlatPeakSection
    oauth: OAuthSection
    polling: PollingSection = PollingSection()
    login: LoginSection = LoginSection()
    log: LogSection = LogSection()

    @model_validator(mode="after")
    def _safe(self) -> "ProviderConfig":
        for key, value in (("public_url", self.public_url), ("flatpeak.url", self.flatpeak.url)):
            url = urlsplit(value)
            if url.scheme != "https" and url.hostname not in LOOPBACK:
                raise ValueError(f"{key}: passwords travel there: expected https://")
        if (self.http.certificate is None) != (self.http.key is None):
            raise ValueError("http.certificate and http.key come together")
        return self


def config_path(given: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The file to read: named, by variable, of the service, or in /etc."""
    if given is not None:
        return given
    if named := environ.get(CONFIG_VARIABLE):
        return Path(named)
    folder = environ.get("CONFIGURATION_DIRECTORY", f"/etc/{APP}-provider").split(":")[0]
    return Path(folder) / "provider.yaml"


# Secrets as they stand in the example.
PLACEHOLDERS = frozenset({"change-me-change-me", "from-onboarding"})


def placeholders(config: ProviderConfig) -> list[str]:
    """Dotted keys of secrets that are still the example's."""
    secrets = {
        "flatpeak.password": config.flatpeak.password,
        "oauth.client_secret": config.oauth.client_secret,
    }
    return [key for key, one in secrets.items() if one.get_secret_value() in PLACEHOLDERS]


def read_settings(path: Path, environ: Mapping[str, str] = os.environ) -> ProviderConfig:
    """Raises ConfigError with every fault."""
    return load_config(path, ProviderConfig, environ=environ, prefix=PREFIX, example=EXAMPLE)
