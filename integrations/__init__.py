"""What touches the outside world: tariff sources, device adapters, sandbox, firmware kit."""
