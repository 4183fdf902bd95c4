"""How long a heat pump may be blocked: two hours in a row over every revision, then a rest. Pure.

The rule is that of the wire contract's section 2 ("Heat"). Instants are Unix seconds.
"""

from dataclasses import dataclass

LONGEST_BLOCK_S = 7200
LEAST_REST_S = 1800


@dataclass(frozen=True, slots=True)
class BlockHistory:
    """`since`: the block under way began then; `ended`: the last one ended then."""

    since: int | None = None
    ended: int | None = None


def blocked_spans(
    now: int, until: int, history: BlockHistory, min_off_s: int
) -> list[tuple[int, int]]:
    """When the device is blocked in a pause from `now` to `until`; between the spans it is free."""
    rest_s = max(LEAST_REST_S, min_off_s)
    out = []
    start = now
    if history.since is not None:
        end = min(until, history.since + LONGEST_BLOCK_S)
        if end > now:
            out.append((now, end))
        start = max(now, end + rest_s)
    elif history.ended is not None:
        start = max(now, history.ended + rest_s)
    while start < until:
        end = min(until, start + LONGEST_BLOCK_S)
        out.append((start, end))
        start = end + rest_s
    return out
