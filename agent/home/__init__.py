"""The house now: what devices said, what the owner wishes, the Situation made of it."""
