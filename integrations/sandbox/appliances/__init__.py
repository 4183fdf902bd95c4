"""Simulated appliances for demo and tests: they know MQTT and their own physics, nothing of us."""
