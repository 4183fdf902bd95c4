"""What touches the outside world: tariff sources, device adapters, the sandbox, the firmware kit."""
