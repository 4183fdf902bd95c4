"""What stands before every page: which host, which origin, how often."""
