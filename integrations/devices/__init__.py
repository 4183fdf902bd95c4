"""Device adapters: one file a family."""
