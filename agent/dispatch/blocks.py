"""How long a heat pump may be blocked: two hours in a row over every revision, then a rest. Pure.

The rule is that of the wire contract's section 2 ("Heat"). Instants are Unix seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.energy.profile import DeviceProfile
from agent.energy.schedule import ScheduleSlot

LONGEST_BLOCK_S = 7200
LEAST_REST_S = 1800
# So much earlier a block is told to end: a setpoint is obeyed until 30 s after its end where the
# agent dies in it, clocks are set, and a gap shorter than a minute would be closed.
ENDS_EARLY_S = 60
# What is left of a block after a rest is not worth switching for if it is shorter.
LEAST_LEFT_S = 300


@dataclass(frozen=True, slots=True)
class BlockHistory:
    """`since`: the block under way began then; `ended`: the last one ended then."""

    since: int | None = None
    ended: int | None = None


@dataclass(frozen=True, slots=True)
class BlockRule:
    """`longest_s` in a row, then free for `rest_s`."""

    longest_s: int = LONGEST_BLOCK_S
    rest_s: int = LEAST_REST_S

    @classmethod
    def of(cls, profile: DeviceProfile) -> "BlockRule":
        longest_s = max(0, min(LONGEST_BLOCK_S, profile.block_max_s) - ENDS_EARLY_S)
        return cls(longest_s, max(LEAST_REST_S, profile.min_off_s))


def blocked_spans(
    spans: Sequence[tuple[int, int]], now: int, history: BlockHistory, rule: BlockRule
) -> list[tuple[int, int]]:
    """What of the wanted `spans` (in order) the device is blocked in; between them it is free."""
    out: list[tuple[int, int]] = []
    began, ends = history.since, now
    free_from = now if history.ended is None else history.ended + rule.rest_s
    for start, end in spans:
        at = max(start, now)
        while at < end:
            if began is not None and at > ends:
                began, free_from = None, ends + rule.rest_s
            if began is None:
                rested = at < free_from
                at = max(at, free_from)
                if at >= end or (rested and end - at < LEAST_LEFT_S):
                    break
                began = at
            until = min(end, began + rule.longest_s)
            if at < until:
                out.append((at, until))
            ends = max(at, until)
            if until >= end:
                break
            began, free_from = None, ends + rule.rest_s
            at = ends
    return out


def limited_blocks(
    slots: Sequence[ScheduleSlot], now: int, history: BlockHistory, profile: DeviceProfile
) -> list[ScheduleSlot]:
    """The slots with their blocks as long as they may be."""
    blocks = [slot for slot in slots if slot.mode == profile.pause_mode]
    allowed = blocked_spans(
        [(slot.start, slot.end) for slot in blocks], now, history, BlockRule.of(profile)
    )
    out = [slot for slot in slots if slot.mode != profile.pause_mode]
    for start, end in allowed:
        whole = next(slot for slot in blocks if slot.start <= start < slot.end)
        out.append(replace(whole, start=start, end=end))
    return sorted(out, key=lambda slot: slot.start)
