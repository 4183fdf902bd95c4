"""The conversation of Connect, release Zero: a message in, the next page out.

Each page's data stands in `connect/page_data.py`, what is entered is checked in
`connect/entries.py`. A customer may go back: a page that was shown once may be answered again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from agent.energy.instants import format_instant
from integrations.sandbox.connect import entries
from integrations.sandbox.connect.addresses import with_parameter
from integrations.sandbox.connect.entries import refused, text_of
from integrations.sandbox.connect.page_data import summary_data
from integrations.sandbox.connect.sessions import Choice, Session, Sessions
from integrations.sandbox.locations import ProviderName, object_id
from integrations.sandbox.provider_api.poller import ConnectedProvider, Grant, Poller
from integrations.sandbox.regions import Region, region_of
from integrations.sandbox.series import Series
from integrations.sandbox.state import SandboxState

START_ROUTES = ("session_restore", "session_start")
MANUAL_PROVIDER = ProviderName(object_id("prv", 2), "Northern Grid & Light")
LIBRARY_PROVIDER = ProviderName(object_id("prv", 3), "Library Power")
SUMMARIES = ("summary_fixed_confirm", "summary_tou_confirm")
ACTIONS = {
    "provider_select": ("PROVIDER_MISSING", "ADDRESS_CHANGE"),
    "provider_name_capture": ("ADDRESS_CHANGE",),
    "tariff_select": ("TARIFF_MISSING", "ADDRESS_CHANGE"),
    "summary_fixed_confirm": ("SAVE", "EDIT", "DISCONNECT"),
    "summary_tou_confirm": ("SAVE", "EDIT", "DISCONNECT"),
    "summary_tariff_inprogress": ("SAVE", "DISCONNECT", "DISMISS_DIRECT"),
    "summary_tariff_failed": ("RECONNECT", "DISCONNECT"),
}
CAPTURES = {
    "FIXED": "rate_fixed_capture",
    "TIME_OF_DAY": "rate_tod_capture",
    "MARKET": "market_surcharge_capture",
}


@dataclass(frozen=True, slots=True)
class LibraryTariff:
    id: str
    name: str
    description: str
    data: Mapping[str, Any]

    def series(self, zone: ZoneInfo) -> Series:
        if "cost" in self.data:
            return entries.fixed(dict(self.data))
        return entries.time_of_day(dict(self.data), zone)


LIBRARY = (
    LibraryTariff(object_id("trt", 1), "Library Flat", "One price all day", {"cost": 0.2876}),
    LibraryTariff(
        object_id("trt", 2),
        "Library Night",
        "Cheap from 00:30 to 05:30",
        {
            "hours": [
                {"valid_from": "00:00:00", "valid_to": "00:30:00", "cost": 0.3121},
                {"valid_from": "00:30:00", "valid_to": "05:30:00", "cost": 0.0899},
                {"valid_from": "05:30:00", "valid_to": "00:00:00", "cost": 0.3121},
            ]
        },
    ),
)


class Dialogue:
    def __init__(
        self,
        state: SandboxState,
        sessions: Sessions,
        providers: Mapping[str, ConnectedProvider],
        poller: Poller,
    ) -> None:
        self._state = state
        self._sessions = sessions
        self._providers = providers
        self._poller = poller

    async def advance(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Raises BadRequestError, and HTTPNotFound for an unknown token."""
        route = message.get("route")
        context = f"connect.{route}" if isinstance(route, str) else "connect.route"
        session = self._sessions.get(message.get("connect_token"), context)
        if not isinstance(route, str):
            raise refused("route", "route_missing", "route is missing")
        if route in START_ROUTES:
            await self._restore(session)
        elif not session.complete_action:
            if route not in session.visited:
                raise refused(route[:60], "route_invalid", "this page is not part of the session")
            self._submit(session, route, message)
        session.visited.add(session.route)
        return self._page(session)

    async def _restore(self, session: Session) -> None:
        if session.complete_action:
            return
        if not session.route:
            place = self._state.locations.get(session.location_id)
            tariff = place.tariffs.get(session.kind) if place else None
            if place is not None and tariff is not None:
                series = place.series.get(session.direction)
                session.answers["choice"] = Choice(
                    series,
                    tariff.display_name,
                    tariff.connection_type,
                    tariff.structure_type,
                    tariff.provider,
                    tariff.contract_start,
                    tariff.contract_end,
                    tariff.tiered,
                    tariff.contract_end is None,
                )
                session.answers["existing"] = session.answers["choice"]
                failed = tariff.status == "ERROR"
                session.route = "summary_tariff_failed" if failed else self._summary(session)
            else:
                session.route = "provider_select" if session.region else "postal_address_capture"
        elif session.route in ("session_redirect", "summary_tariff_inprogress"):
            await self._after_provider(session)

    async def _after_provider(self, session: Session) -> None:
        outcome = session.answers.get("outcome")
        if outcome is None:
            return
        action = outcome.get("action")
        if action == "ERROR":
            session.route = "summary_tariff_failed"
            return
        if action is not None:
            self._skip_direct(session)
            session.route = "tariff_structure_select"
            return
        grant: Grant = session.answers["grant"]
        if grant.read_at is None and not grant.revoked and not grant.location_id:
            await self._poller.poll(grant)
        provider = grant.provider.name

        read = grant.read_at is not None
        session.answers["choice"] = Choice(
            grant.series if read else None,
            grant.series.name or provider.name,
            "DIRECT",
            grant.series.structure,
            provider,
            grant.series.start,
            grant.series.end,
            grant.series.tiered,
            read and grant.series.end is None,
            lambda location_id, kind: self._poller.saved(grant, location_id, kind),
        )
        session.route = self._summary(session) if read else "summary_tariff_inprogress"

    def _submit(self, session: Session, route: str, message: Mapping[str, Any]) -> None:
        action, data = message.get("action"), message.get("data")
        if action is not None:
            if action not in ACTIONS.get(route, ()):
                raise refused(route, "action_invalid", "this page has no such action")
            self._act(session, action)
            return
        if route in SUMMARIES or route.startswith("summary_tariff_"):
            raise refused(route, "action_missing", "action is missing")
        if data is None and route == "contract_term_capture":
            data = {}
        if not isinstance(data, dict):
            raise refused(route, "data_json_invalid", "data is an object")
        self._take(session, route, data)

    def _act(self, session: Session, action: str) -> None:
        answers = session.answers
        if action == "SAVE":
            # However the person came back to it: what is there already stays what it is.
            if answers["choice"] is answers.get("existing"):
                self._sessions.keep(session.token)
            else:
                self._sessions.complete(session.token, answers["choice"])
        elif action == "DISCONNECT":
            self._sessions.disconnect(session.token)
        elif action in ("EDIT", "RECONNECT"):
            self._forget_direct(session)
            session.route = "provider_select"
        elif action == "DISMISS_DIRECT":
            self._skip_direct(session)
            session.route = "tariff_structure_select"
        else:
            session.route = {
                "PROVIDER_MISSING": "provider_name_capture",
                "TARIFF_MISSING": "tariff_structure_select",
                "ADDRESS_CHANGE": "postal_address_capture",
            }[action]

    def _take(self, session: Session, route: str, data: dict[str, Any]) -> None:
        answers = session.answers
        region = session.region
        if route == "postal_address_capture":
            session.region = region_of(
                data.get("postal_address"), f"connect.{route}", complete=True
            )
            session.route = "provider_select"
        elif route == "provider_select":
            self._select_provider(
                session, text_of(route, data, "provider", "id", "provider_id_missing")
            )
        elif route == "provider_name_capture":
            name = text_of(route, data, "provider", "name", "provider_name_missing")
            answers["provider"] = ProviderName(object_id("prv", self._state.next_number()), name)
            session.route = "tariff_structure_select"
        elif route == "tariff_select":
            self._select_tariff(session, data)
        elif route == "tariff_structure_select":
            answers["structure"] = entries.structure(data)
            session.route = CAPTURES[answers["structure"]]
        elif route in CAPTURES.values():
            assert region is not None
            answers["entered"] = data
            answers["structure"] = next(kind for kind, at in CAPTURES.items() if at == route)
            answers["connection"] = "MARKET" if answers["structure"] == "MARKET" else "MANUAL"
            answers["series"] = _entered_series(answers["structure"], data, region)
            session.route = "tariff_name_capture"
        elif route == "tariff_name_capture":
            answers["name"] = text_of(route, data, "tariff", "name", "tariff_name_missing")
            session.route = "contract_term_capture"
        elif route == "contract_term_capture":
            end = entries.contract_end(data, self._state.clock.now())
            answers["contract_end_date"] = None if end is None else format_instant(end)
            answers["choice"] = _choice(session, end)
            session.route = self._summary(session)
        else:
            raise refused(route, "route_invalid", "nothing can be entered on this page")

    def _select_provider(self, session: Session, provider_id: str) -> None:
        answers = session.answers
        direct = self._providers.get(provider_id)
        known = [*(it.name for it in self._providers.values()), MANUAL_PROVIDER, LIBRARY_PROVIDER]
        chosen = next((it for it in known if it.id == provider_id), None)
        if chosen is None:
            raise refused("provider_select", "provider_id_invalid", "there is no such provider")
        answers["provider"] = chosen
        if direct is not None and provider_id not in answers.get("skipped", ()):
            self._forget_direct(session)
            answers["direct_provider"] = provider_id
            session.route = "session_redirect"
        elif chosen == LIBRARY_PROVIDER:
            session.route = "tariff_select"
        else:
            session.route = "tariff_structure_select"

    def _select_tariff(self, session: Session, data: dict[str, Any]) -> None:
        route = "tariff_select"
        tariff_id = text_of(route, data, "tariff", "id", "tariff_id_missing")
        if not tariff_id.startswith("trt_"):
            raise refused(route, "tariff_id_invalid", "tariff.id begins with trt_")
        tariff = next((it for it in LIBRARY if it.id == tariff_id), None)
        if tariff is None:
            raise refused(route, "tariff_not_found", "there is no such tariff")
        assert session.region is not None
        series = tariff.series(ZoneInfo(session.region.timezone))
        session.answers |= {
            "name": tariff.name,
            "series": series,
            "structure": series.structure,
            "connection": "LIBRARY",
        }
        session.route = "contract_term_capture"

    def _summary(self, session: Session) -> str:
        fixed = session.answers["choice"].structure_type == "FIXED"
        return "summary_fixed_confirm" if fixed else "summary_tou_confirm"

    def _forget_direct(self, session: Session) -> None:
        """What a provider submitted holds for the visit it was submitted in."""
        for name in ("outcome", "grant", "direct_provider"):
            session.answers.pop(name, None)

    def _skip_direct(self, session: Session) -> None:
        skipped = session.answers.get("skipped", set())
        session.answers["skipped"] = skipped | {session.answers.get("direct_provider", "")}
        self._forget_direct(session)

    def _page(self, session: Session) -> dict[str, Any]:
        page = {
            "connect_token": session.token,
            "route": session.route,
            "type": "render",
            "direction": session.direction,
            "live_mode": session.live,
            "data": self._data(session),
        }
        if session.route in ACTIONS:
            page["actions"] = list(ACTIONS[session.route])
        return page

    def _data(self, session: Session) -> dict[str, Any]:
        answers, route, region = session.answers, session.route, session.region
        if route == "session_complete":
            name = (
                "connect_token" if self._state.faults.consume("callback_other_name") else "fp_cot"
            )
            return {"callback_uri": with_parameter(session.callback, name, session.token)}
        if route == "session_redirect":
            return self._redirect(session)
        address = dict(region.address) if region else {}
        if route == "postal_address_capture":
            return {"postal_address": address}
        if route == "provider_select":
            names = [it.name for it in self._providers.values()]
            return {
                "postal_address": address,
                "providers": [_named(it) for it in (*names, MANUAL_PROVIDER, LIBRARY_PROVIDER)],
            }
        if route == "provider_name_capture":
            return {"postal_address": address, "provider": {"name": ""}}
        choice: Choice | None = answers.get("choice")
        provider = choice.provider if choice and "provider" not in answers else None
        provider = provider or answers.get("provider") or ProviderName()
        if route.startswith("summary_"):
            assert region is not None
            if route == "summary_tariff_failed":
                kind = choice.connection_type if choice else "DIRECT"
                return {"connection_type": kind, "provider": _named(provider)}
            if route == "summary_tariff_inprogress" or choice is None:
                return {"provider": _named(provider)}
            now = self._state.clock.now()
            return {**summary_data(choice, region, now), "provider": _named(choice.provider)}
        data: dict[str, Any] = {"provider": _named(provider)}
        if route in CAPTURES.values():
            assert region is not None
            entered = answers.get("entered", {})
            blank: dict[str, dict[str, Any]] = {
                "rate_fixed_capture": {"cost": None},
                "rate_tod_capture": {"hours": []},
                "market_surcharge_capture": {"surcharge": {"fixed": 0, "percentage": 0}},
            }
            kept = {key: entered.get(key, value) for key, value in blank[route].items()}
            return {**data, "currency_code": region.currency, **kept}
        extra: dict[str, dict[str, Any]] = {
            "tariff_select": {
                "postal_address": address,
                "tariffs": [
                    {"id": it.id, "name": it.name, "description": it.description} for it in LIBRARY
                ],
            },
            "tariff_structure_select": {"options": list(entries.STRUCTURES)},
            "tariff_name_capture": {"tariff": {"name": answers.get("name", "")}},
            "contract_term_capture": {"contract_end_date": answers.get("contract_end_date")},
        }
        return {**data, **extra[route]}

    def _redirect(self, session: Session) -> dict[str, Any]:
        """Under both keys, with the token under both names, as documents and code differ."""
        consume = self._state.faults.consume
        url = self._providers[session.answers["direct_provider"]].authentication_uri
        if not consume("redirect_without_token"):
            url = with_parameter(url, "fp_cot", session.token)
            url = with_parameter(url, "connect_token", session.token)
        keys = ["redirect_url", "redirect_uri"]
        if consume("redirect_url_only"):
            keys.remove("redirect_uri")
        elif consume("redirect_uri_only"):
            keys.remove("redirect_url")
        return dict.fromkeys(keys, url)


def _entered_series(structure: str, data: dict[str, Any], region: Region) -> Series:
    if structure == "FIXED":
        return entries.fixed(data)
    if structure == "TIME_OF_DAY":
        return entries.time_of_day(data, ZoneInfo(region.timezone))
    return entries.with_surcharge(data, region.market())


def _choice(session: Session, end: datetime | None) -> Choice:
    answers = session.answers
    return Choice(
        answers["series"],
        answers["name"],
        answers["connection"],
        answers["structure"],
        answers["provider"],
        contract_end=end,
    )


def _named(provider: ProviderName) -> dict[str, str]:
    return {"id": provider.id, "display_name": provider.name, "name": provider.name, "logo_url": ""}
