"""What outlives a restart and what was metered: the tables of the devices, the ledger."""
