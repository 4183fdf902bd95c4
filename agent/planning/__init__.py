"""The study: a Situation goes in, a plan with its proof and its reasons comes out.

Pure: nothing in here awaits, reads a clock, a file or a socket; `took_ms` is the caller's.
"""

from agent.planning.make import make_plan, make_rule_plan

__all__ = ["make_plan", "make_rule_plan"]
