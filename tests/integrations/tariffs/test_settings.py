"""The tariff section: what is accepted, and what is said about the rest."""

from datetime import time
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from agent.energy.rates import Direction
from integrations.tariffs.fixed_settings import FixedConfig
from integrations.tariffs.flatpeak_settings import FlatPeakConfig

CONFIG: TypeAdapter[FlatPeakConfig | FixedConfig] = TypeAdapter(
    Annotated[FlatPeakConfig | FixedConfig, Field(discriminator="source")]
)
BASIC = {
    "source": "flatpeak",
    "location_id": "loc_1",
    "account_id": "acc_1",
    "api_key": "sk_live_secret",
}
FIXED = {"source": "fixed", "timezone": "Europe/Berlin", "currency": "EUR"}


def fixed(**keys: Any) -> FixedConfig:
    config = CONFIG.validate_python({**FIXED, **keys})
    assert isinstance(config, FixedConfig)
    return config


def test_flatpeak_needs_little_and_hides_its_secrets() -> None:
    config = CONFIG.validate_python({**BASIC, "directions": ["import", "export"]})
    assert isinstance(config, FlatPeakConfig)
    assert config.directions == (Direction.IMPORT, Direction.EXPORT)
    assert config.auth == "basic"
    assert config.api_key.get_secret_value() == "sk_live_secret"
    assert "secret" not in repr(config) + str(config.model_dump())


def test_a_backend_may_stand_between() -> None:
    common = {
        "source": "flatpeak",
        "location_id": "loc_1",
        "base_url": "http://192.168.1.5:8080/energy",
    }
    CONFIG.validate_python({**common, "auth": "none"})
    CONFIG.validate_python({**common, "auth": "bearer", "token": "t"})
    CONFIG.validate_python({**common, "auth": "bearer", "token_url": "https://maker.example/t"})


def test_a_flat_price_is_one_number() -> None:
    config = fixed(**{"import": 0.32, "export": "0.08"})
    assert [rule.price for rule in config.import_rules] == [Decimal("0.32")]
    assert [rule.price for rule in config.export_rules] == [Decimal("0.08")]


def test_rules_by_day_month_and_time() -> None:
    config = fixed(
        **{
            "import": [
                {"price": 0.18, "from": "22:30", "to": "06:00", "days": "weekdays"},
                {"price": 0.2, "days": ["sat", "sun"], "months": ["nov-feb", "jul"]},
                {"price": 0.15, "from": "12:00", "to": "24:00", "days": "fri-mon"},
                {"price": 0.32},
            ]
        }
    )
    night, winter, noon, rest = config.import_rules
    assert (night.start, night.end) == (time(22, 30), time(6))
    assert night.days == frozenset(range(5))
    assert winter.days == {5, 6}
    assert winter.months == {11, 12, 1, 2, 7}
    assert (noon.end, sorted(noon.days)) == (time(0), [0, 4, 5, 6])
    assert rest.days == frozenset(range(7))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"source": "flatpeak", "location_id": "loc_1"}, "auth basic needs account_id and api_key"),
        ({**BASIC, "auth": "bearer"}, "auth bearer needs token or token_url"),
        ({**BASIC, "auth": "oauth"}, "'basic', 'bearer' or 'none'"),
        ({**BASIC, "base_url": "api.flatpeak.com"}, "expected a URL such as"),
        ({**BASIC, "base_url": "https://me:pw@api.flatpeak.com"}, "without user and password"),
        ({**BASIC, "directions": []}, "expected import, export or both"),
        ({**BASIC, "directions": ["import", "import"]}, "each once"),
        ({**BASIC, "directions": ["up"]}, "'import' or 'export'"),
        ({**BASIC, "apikey": "x"}, "did you mean api_key? allowed: source, location_id"),
        ({**FIXED, "import": []}, "expected a price or a list of rules"),
        ({**FIXED}, "Field required"),
        ({**FIXED, "import": 0.3, "timezone": "Berlin"}, "such as Europe/Berlin"),
        ({**FIXED, "import": 0.3, "currency": "euro"}, "such as EUR"),
        ({**FIXED, "import": "cheap"}, "decimal"),
        ({**FIXED, "import": float("nan")}, "finite number"),
        ({**FIXED, "import": [{"price": 1, "from": 1350}]}, 'in quotes, "00:00" to "23:59"'),
        ({**FIXED, "import": [{"price": 1, "from": "25:00"}]}, "expected a clock time"),
        ({**FIXED, "import": [{"price": 1, "days": "holidays"}]}, "weekdays, weekend"),
        ({**FIXED, "import": [{"price": 1, "months": []}]}, "at least one"),
        ({**FIXED, "import": [{"price": 1, "from": "06:00", "to": "06:00"}]}, "are the same"),
        ({**FIXED, "import": [{"price": 1, "until": "06:00"}]}, "allowed: price, days, months"),
        (
            {**FIXED, "import": [{"price": 1, "from": "06:00", "to": "22:00"}]},
            "no rule fits mon 00:00 in jan; end the list with a price alone",
        ),
        (
            {**FIXED, "import": 1, "export": [{"price": 1, "days": "mon-sat"}]},
            "export: no rule fits sun 00:00 in jan",
        ),
    ],
)
def test_what_is_wrong_is_said_with_what_is_allowed(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CONFIG.validate_python(config)
    said = str(caught.value)
    assert words in said
    assert "sk_live_secret" not in said


def test_it_is_frozen() -> None:
    config = fixed(**{"import": 0.32})
    with pytest.raises(ValidationError):
        config.currency = "SEK"  # type: ignore[misc]
