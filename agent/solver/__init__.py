"""The process in which the joint planner runs: started, timed, killed, replaced.

highspy and numpy are imported there and nowhere else; where they are not installed, there is no
such process and the other engines plan.
"""

from agent.solver.client import SolverClient

__all__ = ["SolverClient"]
