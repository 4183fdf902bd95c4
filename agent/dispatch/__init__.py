"""The switchboard: readings in, schedules and setpoints out, acknowledgements."""
