"""Engine for devices that nothing couples: proves its plan, or states how far it may be off."""

from agent.planning.exact.engine import ExactEngine

__all__ = ["ExactEngine"]
