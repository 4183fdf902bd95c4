"""The joint engine: a whole coupled house at once. Runs in a process of its own (agent/solver).

Nothing in here may be imported elsewhere but `allowances`: highspy and numpy come with the engine.
"""
