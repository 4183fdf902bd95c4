"""Whose rule for the time without the agent became 0 W, and what its owner can do about it."""

from agent.control.offline_rules import offline_rules
from integrations.registry import AgentConfig

FIXED = {"source": "fixed", "timezone": "Europe/Berlin"}


def test_who_is_not_charged_and_who_does_not_run_without_the_agent() -> None:
    car = {
        "id": "ev",
        "type": "ev_charger",
        "max_power_w": 7400,
        "energy_kwh": 9,
        "offline_power_w": 3680,
    }
    pump = {"id": "pool_pump", "type": "load", "power_w": 800, "needs": [{"hours": 2}]}

    def found(*devices: object) -> tuple[str, str]:
        config = AgentConfig.model_validate(
            {
                "tariff": {**FIXED, "currency": "EUR", "import": 0.3},
                "site": {"import_limit_w": 500, "base_load_w": 400},
                "devices": devices,
            }
        )
        rules = offline_rules(config, 400)
        return str(rules.why), rules.who_acts

    why, who_acts = found(pump)
    assert "pool_pump will not run" in why
    assert "offline_power_w" not in who_acts
    why, who_acts = found(pump, car)
    assert "ev will not be charged" in why
    assert "pool_pump will not run" in why
    assert "offline_power_w" in who_acts
