"""What an energy provider calls, and what calls an energy provider."""
