"""What is special to each kind of device: its limits, what it costs beside energy, its baseline."""
