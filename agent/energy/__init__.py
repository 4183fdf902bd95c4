"""The dictionary: rates, demands, devices, the Situation and the plan. Standard library only."""
