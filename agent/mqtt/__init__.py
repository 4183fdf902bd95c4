"""The post room: a connection to the broker that comes back by itself, and the topic names."""
