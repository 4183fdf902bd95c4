"""Which needs can be met exactly by runs between points, from each point on.

A set of needs is the bits of one whole number, so a run that adds its length to each is a shift.
"""

from agent.planning.relaxed import Model

OFF = 0


class Fill:
    """Of one demand. Needs count from the most that it may get above its need (`top`)."""

    def __init__(self, model: Model) -> None:
        need = model.load.needs[0]
        self.extra = max(0, need.top - need.need) if not need.hard else 0
        points, last = model.points, len(model.points) - 1
        barred = model.barred[0]
        mask = (1 << (need.need + self.extra + 1)) - 1
        ends = {0, self.extra} if need.hard else {0, self.extra, self.extra + 1}
        done = sum(1 << bit for bit in ends)
        off, on = [done] * (last + 1), [done] * (last + 1)
        # Right after a minimum time an edge may follow anywhere, else only where one is tied down.
        tight_off, tight_on = [done] * (last + 1), [done] * (last + 1)
        for j in range(last - 1, -1, -1):
            born = 0
            if barred[j + 1] == barred[j]:
                born = (on[j + 1] << (points[j + 1] - points[j])) & mask
            begun = 0
            k = model.after_on[j]
            if k == j:
                begun = born
            elif k <= last and barred[k] == barred[j]:
                begun = (tight_on[k] << (points[k] - points[j])) & mask
            off[j] = done | off[j + 1]
            tight_off[j] = off[j] | begun
            if model.loose[j] or model.back_on[j]:
                off[j] = tight_off[j]
            k = model.after_off[j]
            ended = tight_off[k] if k <= last else done
            on[j] = born
            tight_on[j] = born | ended
            if model.loose[j] or model.back_off[j]:
                on[j] = tight_on[j]
        self.off, self.on = off, on

    def within(self, mode: int, j: int, low: int, high: int) -> list[int]:
        """The needs in low..high that can be met exactly (or within a soft demand's limits)."""
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
