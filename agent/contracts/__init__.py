"""The documents that cross our border, as models: Situation, plan, and every MQTT payload."""
