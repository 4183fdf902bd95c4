"""What people and scripts read: tariff, health, events; published as it changes."""
