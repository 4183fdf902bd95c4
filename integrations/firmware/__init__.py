"""The kit for firmware authors: the C follower, its Python twin, a guide."""
