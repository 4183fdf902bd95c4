"""Kind to adapter: one line each. The hall asks here, so no other room knows a vendor."""

from agent.clock import Clock
from agent.config.devices import DeviceSection
from agent.config.tariff import FixedConfig, FlatPeakConfig, PriceRuleConfig, TariffConfig
from agent.energy.rates import Direction
from agent.ports import DeviceAdapter, TariffSource
from integrations.devices.native import NativeDevice
from integrations.tariffs.fixed import FixedTariff, PriceRule
from integrations.tariffs.flatpeak import Auth, BasicLogin, Bearer, FlatPeakTariff, NoAuth


def device_adapter(section: DeviceSection, base_topic: str) -> DeviceAdapter:
    """Every type of the config speaks our own contract for now."""
    return NativeDevice(base_topic, section.id)


def tariff_source(config: TariffConfig, clock: Clock) -> TariffSource:
    """The source that the config's `tariff.source` names."""
    return _flatpeak(config, clock) if isinstance(config, FlatPeakConfig) else _fixed(config)


def _flatpeak(config: FlatPeakConfig, clock: Clock) -> FlatPeakTariff:
    return FlatPeakTariff(
        config.location_id,
        _auth(config),
        clock,
        directions=config.directions,
        base_url=config.base_url,
        version=config.version,
        include_carbon=config.include_carbon,
        timeout_s=config.timeout_s,
    )


def _auth(config: FlatPeakConfig) -> Auth:
    if config.auth == "basic":
        return BasicLogin(config.account_id, config.api_key.get_secret_value())
    if config.auth == "bearer":
        return Bearer(config.token.get_secret_value(), config.token_url or "")
    return NoAuth()


def _fixed(config: FixedConfig) -> FixedTariff:
    rules = {Direction.IMPORT: config.import_rules, Direction.EXPORT: config.export_rules}
    return FixedTariff(
        config.timezone,
        config.currency,
        {direction: [_rule(rule) for rule in some] for direction, some in rules.items()},
    )


def _rule(rule: PriceRuleConfig) -> PriceRule:
    return PriceRule(rule.price, rule.days, rule.months, rule.start, rule.end)
