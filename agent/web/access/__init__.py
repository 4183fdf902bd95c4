"""Who may come in: the password, sessions, and what is kept of attempts."""
