"""A page's form in, the dialogue's message out. Pure; the dialogue checks what is in it."""

from collections.abc import Mapping
from typing import Any

from integrations.sandbox.regions import ADDRESS_FIELDS

MOST_ROWS = 8


def message_of(form: Mapping[str, str]) -> dict[str, Any]:
    route = form.get("route", "")
    message: dict[str, Any] = {
        "connect_token": form.get("connect_token", ""),
        "route": route,
        "type": "submit",
    }
    if form.get("action"):
        return {**message, "action": form["action"]}
    return {**message, "data": _data(route, form)}


def _data(route: str, form: Mapping[str, str]) -> dict[str, Any]:
    if route == "postal_address_capture":
        return {"postal_address": {name: form.get(name, "") for name in ADDRESS_FIELDS}}
    if route == "rate_tod_capture":
        rows = [
            {"valid_from": form[f"from{n}"], "valid_to": form[f"to{n}"], "cost": form[f"cost{n}"]}
            for n in range(MOST_ROWS)
            if form.get(f"cost{n}") and f"from{n}" in form and f"to{n}" in form
        ]
        return {"hours": rows}
    if route == "market_surcharge_capture":
        names = ("fixed", "percentage")
        return {"surcharge": {name: form.get(name) or "0" for name in names}}
    nested = {
        "provider_select": ("provider", "id"),
        "provider_name_capture": ("provider", "name"),
        "tariff_select": ("tariff", "id"),
        "tariff_name_capture": ("tariff", "name"),
    }
    if route in nested:
        holder, key = nested[route]
        return {holder: {key: form.get("value", "")}}
    if route == "tariff_structure_select":
        return {"options": [form.get("value", "")]}
    name = "contract_end_date" if route == "contract_term_capture" else "cost"
    return {name: form.get("value", "")}
