"""Home Assistant over MQTT: entities by discovery, derived from what devices are and can."""
