"""The planner with a deadline: what is not there in time is not waited for."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from agent.energy.plan import Plan
from agent.energy.situation import Situation

log = logging.getLogger(__name__)

# A search that does not end is not alive: the watchdog starts the agent anew.
HANGS_AFTER_S = 300.0

MakePlan = Callable[[Situation], Awaitable[Plan]]


@dataclass(slots=True)
class TimedPlanner:
    """`fallback` is quick and always answers; `on_late` hears that a plan came after its time."""

    make_plan: MakePlan
    fallback: MakePlan
    time_limit_s: float
    on_late: Callable[[], None] = lambda: None
    _late: asyncio.Task[Plan] | None = field(default=None, init=False)
    _late_since: float = field(default=math.inf, init=False)

    @property
    def alive(self) -> bool:
        """Has no search run for longer than any could?"""
        return asyncio.get_running_loop().time() - self._late_since < HANGS_AFTER_S

    async def plan(self, situation: Situation) -> Plan | None:
        """The plan, or None where it was not there in time."""
        if self._late is not None and not self._late.done():
            # The planner is still at an older question: one search at a time on a slow gateway.
            return None
        task = asyncio.ensure_future(self.make_plan(situation))
        try:
            done, _ = await asyncio.wait({task}, timeout=self.time_limit_s)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if done:
            return task.result()
        log.warning("no plan within %g s; what is in force stays", self.time_limit_s)
        self._late, self._late_since = task, asyncio.get_running_loop().time()
        task.add_done_callback(self._late_plan_came)
        return None

    def _late_plan_came(self, task: asyncio.Task[Plan]) -> None:
        self._late_since = math.inf
        if not task.cancelled() and task.exception() is not None:
            log.error("the planner failed: %r", task.exception())
        self.on_late()
