"""Engine that is always feasible: proves little, is there at once."""

from agent.planning.rule.engine import RuleEngine

__all__ = ["RuleEngine"]
