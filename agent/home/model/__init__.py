"""One model of a device: told, acknowledged, reported, believed, delivered, learned. Pure."""
