"""The database file: its schema, how it is opened on a bad disk, who writes, what went wrong."""
