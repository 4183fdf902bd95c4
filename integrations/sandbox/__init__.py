"""A FlatPeak simulator, for the demo, for tests and for trying things out."""

from integrations.sandbox.locations import Location
from integrations.sandbox.server import FlatPeakSandbox

__all__ = ["FlatPeakSandbox", "Location"]
