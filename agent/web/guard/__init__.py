"""What stands before every page: whose connection, which host, which origin, how many."""
