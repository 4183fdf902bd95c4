"""OAuth 2 by Authlib on the provider's tables: tokens are issued at consent, renewed, revoked.

Authlib works synchronously: it is given a connection inside `run_sync`, so that all it does is one
transaction. Only hashes of tokens are stored.
"""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientMixin,
    OAuth2Request,
    ResourceProtector,
    TokenMixin,
)
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator, BearerTokenValidator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from agent.energy.instants import format_instant, from_unix
from integrations.provider.audit import Entry, record_sync
from integrations.provider.schema import GRANT, TOKEN
from integrations.provider.secrets_kept import new_token, token_hash
from integrations.provider.settings import ProviderConfig

ACCESS, REFRESH = "ACCESS", "REFRESH"
SCOPE = "tariff"
CLIENT_METHODS = ["client_secret_basic", "client_secret_post"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint says: HTTP status, JSON body, headers."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]


class _Client(ClientMixin):
    """FlatPeak, the only client."""

    def __init__(self, config: ProviderConfig) -> None:
        self._config = config.oauth

    def get_client_id(self) -> str:
        return self._config.client_id

    def check_client_secret(self, client_secret: str) -> bool:
        known = token_hash(self._config.client_secret.get_secret_value())
        return hmac.compare_digest(token_hash(client_secret), known)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in CLIENT_METHODS

    def check_grant_type(self, grant_type: str) -> bool:
        return bool(grant_type == RefreshTokenGrant.GRANT_TYPE)

    def get_allowed_scope(self, scope: str | None) -> str | None:
        return SCOPE if scope in (None, "", SCOPE) else None


class _FormRequest(OAuth2Request):
    """Authlib's own has no form where the form is empty."""

    @property
    def form(self) -> dict[str, str]:
        return dict(self.payload.data)


class StoredToken(TokenMixin):
    """A row of `token` with its consent."""

    def __init__(self, row: Mapping[str, Any], now_s: int) -> None:
        self.row = row
        self._now_s = now_s

    def check_client(self, client: ClientMixin) -> bool:
        return True

    def get_scope(self) -> str:
        return SCOPE

    def get_expires_in(self) -> int:
        return int(self.row["expires_at"] - self.row["issued_at"])

    def is_expired(self) -> bool:
        return bool(self.row["expires_at"] <= self._now_s)

    def is_revoked(self) -> bool:
        return self.row["revoked_at"] is not None


class TokenServer(AuthorizationServer):
    """One request's server, on that request's transaction."""

    def __init__(
        self, config: ProviderConfig, connection: Connection, now: datetime, address: str = ""
    ) -> None:
        super().__init__(scopes_supported=[SCOPE])
        self.config, self.now, self.address = config, now, address
        self.now_s = int(now.timestamp())
        self.connection = connection
        oauth = config.oauth
        generator = BearerTokenGenerator(
            lambda **_: new_token(), lambda **_: new_token(), int(oauth.access_token_hours * 3600)
        )
        self.register_token_generator("default", generator)
        self.register_grant(_Renewal)
        self.register_endpoint(_Revocation)

    def issue(self, grant_id: str) -> dict[str, Any]:
        """The first tokens of a consent, as FlatPeak is given them in `auth_data`."""
        token: dict[str, Any] = self.generate_token(
            RefreshTokenGrant.GRANT_TYPE, _Client(self.config), user=grant_id
        )
        self._store(token, grant_id)
        expires_at = self.now_s + token["expires_in"]
        return {
            **token,
            "expires_at": format_instant(from_unix(expires_at)),
            "token_url": f"{self.config.public_url}/oauth/token",
            "tariff_url": f"{self.config.public_url}/api/tariff",
        }

    def answer(self, endpoint: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """`token` or `revocation`."""
        path = f"/oauth/{endpoint}"
        # TLS may end at the load balancer; whether it is there at all, the settings have checked.
        host = urlsplit(self.config.public_url).netloc
        request = _FormRequest("POST", f"https://{host}{path}", headers=_readable(headers))
        # A hint is none that has to be followed (RFC 7009, 2.1); Authlib refuses what it knows not.
        fields = {key: value for key, value in form.items() if key != "token_type_hint"}
        request.payload = BasicOAuth2Payload(fields)
        if endpoint == "token":
            found = self.create_token_response(request)
        else:
            found = self.create_endpoint_response(endpoint, request)
        assert isinstance(found, Answer)
        if found.status != 200:
            self.record("TOKEN_REFUSED", detail=str(found.body.get("error", "")))
        return found

    def bearer(self, headers: Mapping[str, str]) -> Mapping[str, Any] | Answer:
        """The token's row with its consent, or what to answer whoever has none that is valid."""
        protector = ResourceProtector()
        protector.register_token_validator(_Validator(self))
        request = OAuth2Request("GET", "https://localhost/", headers=headers)
        try:
            token: StoredToken = protector.validate_request([SCOPE], request)
        except OAuth2Error as error:
            return self.handle_error_response(request, error)  # type: ignore[no-any-return]  # untyped
        return token.row

    def find(self, token: str, kind: str) -> StoredToken | None:
        query = (
            select(TOKEN, GRANT)
            .join(GRANT)
            .where(TOKEN.c.hash == token_hash(token), TOKEN.c.kind == kind)
        )
        row = self.connection.execute(query.with_for_update()).mappings().one_or_none()
        return None if row is None else StoredToken(dict(row), self.now_s)

    def revoke(self, grant_id: str) -> None:
        self.connection.execute(
            update(GRANT)
            .where(GRANT.c.id == grant_id, GRANT.c.revoked_at.is_(None))
            .values(revoked_at=self.now_s)
        )

    def record(self, event: str, row: Mapping[str, Any] | None = None, detail: str = "") -> None:
        of_grant = {
            key: row[key] if row else "" for key in ("customer_id", "contract_id", "account_name")
        }
        entry = Entry(event=event, address=self.address, detail=detail, **of_grant)
        record_sync(self.connection, self.now, entry)

    def _store(self, token: Mapping[str, Any], grant_id: str) -> None:
        lives = {
            ACCESS: (token["access_token"], token["expires_in"]),
            REFRESH: (token["refresh_token"], self.config.oauth.refresh_token_days * 86400),
        }
        rows = [
            {
                "hash": token_hash(text),
                "grant_id": grant_id,
                "kind": kind,
                "issued_at": self.now_s,
                "expires_at": self.now_s + int(life_s),
            }
            for kind, (text, life_s) in lives.items()
        ]
        self.connection.execute(insert(TOKEN), rows)

    # What Authlib asks for.

    def query_client(self, client_id: str) -> ClientMixin | None:
        return _Client(self.config) if client_id == self.config.oauth.client_id else None

    def save_token(self, token: Mapping[str, Any], request: OAuth2Request) -> None:
        self._store(token, request.user)

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:
        found = json.loads(body) if isinstance(body, str) and body else body or {}
        return Answer(status, found, dict(headers))

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""


class _Renewal(RefreshTokenGrant):
    """A refresh token works once. One that comes again much later was stolen, or its successor
    was: the consent ends (RFC 9700, 4.14.2)."""

    TOKEN_ENDPOINT_AUTH_METHODS = CLIENT_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True
    server: TokenServer

    def authenticate_refresh_token(self, refresh_token: str) -> StoredToken | None:
        server = self.server
        token = server.find(refresh_token, REFRESH)
        if token is None or token.is_expired() or token.is_revoked():
            return None
        used_at = token.row["used_at"]
        if used_at is not None and server.now_s - used_at > server.config.oauth.reuse_grace_s:
            server.revoke(token.row["grant_id"])
            server.record("TOKEN_REUSED", token.row)
            return None
        return token

    def authenticate_user(self, refresh_token: StoredToken) -> str:
        return str(refresh_token.row["grant_id"])

    def revoke_old_credential(self, refresh_token: StoredToken) -> None:
        row, server = refresh_token.row, self.server
        server.connection.execute(
            update(TOKEN)
            .where(TOKEN.c.hash == row["hash"], TOKEN.c.used_at.is_(None))
            .values(used_at=server.now_s)
        )
        server.record("TOKEN_RENEWED", row)


class _Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = CLIENT_METHODS
    server: TokenServer

    def query_token(self, token_string: str, token_type_hint: str | None) -> StoredToken | None:
        found = (self.server.find(token_string, kind) for kind in (REFRESH, ACCESS))
        return next((token for token in found if token is not None), None)

    def revoke_token(self, token: StoredToken, request: OAuth2Request) -> None:
        self.server.revoke(token.row["grant_id"])
        self.server.record("CONSENT_WITHDRAWN", token.row, "by FlatPeak")


class _Validator(BearerTokenValidator):
    def __init__(self, server: TokenServer) -> None:
        super().__init__()
        self._server = server

    def authenticate_token(self, token_string: str) -> StoredToken | None:
        return self._server.find(token_string, ACCESS)


def _readable(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Without credentials that are no UTF-8 in Base64: Authlib fails on them, and they are none."""
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return headers
    try:
        base64.b64decode(credentials.strip()).decode()
    except ValueError:
        return {}
    return headers
