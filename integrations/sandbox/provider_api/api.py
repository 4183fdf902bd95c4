"""What a provider asks and says about a session, by HTTP Basic: context, and what came of it.

Both paths of the context answer; by the path `account-info` the way back is called `redirect_uri`,
by `session` it is `connect_web_uri` and `redirect_uri` is the provider's own address.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from aiohttp import web

from agent.energy.instants import format_instant, parse_instant
from integrations.sandbox.connect.sessions import Session, Sessions
from integrations.sandbox.login import basic_pair
from integrations.sandbox.provider_api.poller import ConnectedProvider, Poller
from integrations.sandbox.regions import ADDRESS_FIELDS, region_of
from integrations.sandbox.responses import BadRequestError, json_object, plain
from integrations.sandbox.state import SandboxState

CONTEXT = "api.connect_session"
ACTIONS = ("DISMISS_LOGIN", "DISMISS_CONSENT", "ERROR")
PATHS = ("/connect/session/", "/connect/account-info/")
ACCOUNT = {
    "display_name": "Sandbox Heat Pumps",
    "logo_url": "https://heatpumps.example/logo.png",
    "terms_url": "https://heatpumps.example/terms",
    "privacy_url": "https://heatpumps.example/privacy",
    "support_url": "https://heatpumps.example/help",
}
MAX_AUTH_DATA = 100


class ProviderApi:
    def __init__(
        self,
        state: SandboxState,
        sessions: Sessions,
        providers: Mapping[str, ConnectedProvider],
        poller: Poller,
        web_url: Callable[[], str],
    ) -> None:
        self._state = state
        self._sessions = sessions
        self._providers = providers
        self._poller = poller
        self._web_url = web_url

    def routes(self) -> list[web.RouteDef]:
        out = []
        for start in PATHS:
            path = f"{start}{{token}}"
            out.append(web.get(path, self._context))
            out += [web.route(method, path, self._submit) for method in ("POST", "PUT", "PATCH")]
        return out

    async def _context(self, request: web.Request) -> web.Response:
        found = self._session_of(request)
        if isinstance(found, web.Response):
            return found
        session, provider = found
        back = session.web or self._web_url()
        older = request.path.startswith("/connect/account-info/") or self._state.faults.consume(
            "context_older"
        )
        answer: dict[str, Any] = {
            "connect_token": session.token,
            "live_mode": session.live,
            "account": ACCOUNT,
        }
        if older:
            answer |= {"credentials": {}, "redirect_uri": back}
        else:
            answer |= {"redirect_uri": provider.authentication_uri, "connect_web_uri": back}
        return web.json_response(answer)

    async def _submit(self, request: web.Request) -> web.Response:
        found = self._session_of(request)
        if isinstance(found, web.Response):
            return found
        if self._state.faults.consume("submit_fails"):
            return plain(500, "Internal Server Error")
        session, provider = found
        body = json_object(await request.read())
        if self._state.faults.consume("provider_error"):
            body = {"action": "ERROR"}
        if "outcome" in session.answers:
            # The same again is a reply that was lost; anything else comes too late.
            if session.answers["outcome"] != body:
                raise web.HTTPConflict
            return web.json_response({"message": "Accepted"}, status=202)
        if "action" in body:
            if body["action"] not in ACTIONS:
                raise _refused("action_invalid", f"action is one of {', '.join(ACTIONS)}", session)
        else:
            self._take(session, provider, body.get("data"))
        session.answers["outcome"] = body
        return web.json_response({"message": "Accepted"}, status=202)

    def _take(self, session: Session, provider: ConnectedProvider, data: object) -> None:
        """Raises BadRequestError; nothing is kept then."""
        if not isinstance(data, dict):
            raise _refused("data_json_invalid", "data is an object", session)
        auth_data = data.get("auth_data")
        if not isinstance(auth_data, dict) or not 0 < len(auth_data) <= MAX_AUTH_DATA:
            raise _refused("auth_data_missing", "auth_data is an object with entries", session)
        region = session.region
        if (address := data.get("postal_address")) is not None:
            known = region.address if region else {}
            merged = {**known, **address} if isinstance(address, dict) else address
            region = region_of(
                {name: merged.get(name) for name in ADDRESS_FIELDS}
                if isinstance(merged, dict)
                else merged,
                CONTEXT,
            )
        term = data.get("contract_term") or {}
        if not isinstance(term, dict):
            raise _refused("contract_term_invalid", "contract_term is an object", session)
        start, end = _date(term, "start_date", session), _date(term, "end_date", session)
        if start and end and end <= start:
            raise _refused("contract_term_invalid", "end_date is not after start_date", session)
        session.region = region
        session.answers["term"] = {
            name: format_instant(at) for name, at in (("start", start), ("end", end)) if at
        }
        grant = self._poller.add(provider, auth_data, start)
        grant.series.end = end
        session.answers["grant"] = grant

    def _session_of(self, request: web.Request) -> tuple[Session, ConnectedProvider] | web.Response:
        """Raises HTTPNotFound for a session that is not at this provider, or is over."""
        pair = basic_pair(request.headers.get("Authorization", ""))
        known = [it for it in self._providers.values() if (it.username, it.password) == pair]
        if not known or self._state.faults.consume("context_refused"):
            return plain(403, "Bad credentials")
        session = self._sessions.get(request.match_info["token"], CONTEXT)
        chosen = session.answers.get("direct_provider")
        provider = next((it for it in known if it.name.id == chosen), None)
        if provider is None or session.complete_action:
            raise web.HTTPNotFound
        return session, provider


def _date(term: Mapping[str, Any], name: str, session: Session) -> datetime | None:
    value = term.get(name)
    if value is None:
        return None
    try:
        return parse_instant(value)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise _refused("contract_term_invalid", f"{name} is not RFC 3339", session) from error


def _refused(code: str, message: str, session: Session) -> BadRequestError:
    return BadRequestError(code, message, 422, CONTEXT, session.token)
