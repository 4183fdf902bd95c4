"""Which demands can be met exactly by runs between points, from each point on.

A set of demands is the bits of one whole number, so a run that adds its length to each is a shift.
"""

from agent.planning.exact.lagrangian import RelaxedModel

OFF = 0


class ReachableDurations:
    """Of one demand. Needs count from the most that it may get above its demand (`top`)."""

    def __init__(self, model: RelaxedModel) -> None:
        demand = model.device.demands[0]
        self.extra = max(0, demand.max_s - demand.needed_s) if not demand.hard else 0
        points, last = model.points, len(model.points) - 1
        barred = model.barred[0]
        mask = (1 << (demand.needed_s + self.extra + 1)) - 1
        ends = {0, self.extra} if demand.hard else {0, self.extra, self.extra + 1}
        done = sum(1 << bit for bit in ends)
        off, on = [done] * (last + 1), [done] * (last + 1)
        # Right after a minimum time an edge may follow anywhere, else only where one is tied down.
        tight_off, tight_on = [done] * (last + 1), [done] * (last + 1)
        for j in range(last - 1, -1, -1):
            just_started = 0
            if barred[j + 1] == barred[j]:
                just_started = (on[j + 1] << (points[j + 1] - points[j])) & mask
            next_start = 0
            k = model.after_on[j]
            if k == j:
                next_start = just_started
            elif k <= last and barred[k] == barred[j]:
                next_start = (tight_on[k] << (points[k] - points[j])) & mask
            off[j] = done | off[j + 1]
            tight_off[j] = off[j] | next_start
            if model.loose[j] or model.back_on[j]:
                off[j] = tight_off[j]
            k = model.after_off[j]
            ended = tight_off[k] if k <= last else done
            on[j] = just_started
            tight_on[j] = just_started | ended
            if model.loose[j] or model.back_off[j]:
                on[j] = tight_on[j]
        self.off, self.on = off, on

    def within(self, mode: int, j: int, low: int, high: int) -> list[int]:
        """The demands in low..high that can be met exactly (or within a soft demand's limits)."""
        low, high = max(low + self.extra, 0), high + self.extra
        if high < low:
            return []
        bits = ((self.off if mode == OFF else self.on)[j] >> low) & ((1 << (high - low + 1)) - 1)
        out = []
        while bits:
            one = bits & -bits
            out.append(low + one.bit_length() - 1 - self.extra)
            bits ^= one
        return out
