"""Of plans that cost the same the one that switches least: where a price is flat, an engine's
choice among its hours is chance, and each start is wear, noise and a relay's click."""

from agent.planning.tidying.rounds import tidied

__all__ = ["tidied"]
