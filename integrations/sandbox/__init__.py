"""A FlatPeak simulator, for the demo, for tests and for trying things out."""

from integrations.sandbox.locations import Location, ProviderName
from integrations.sandbox.provider_api.poller import ConnectedProvider
from integrations.sandbox.server import FlatPeakSandbox

__all__ = ["ConnectedProvider", "FlatPeakSandbox", "Location", "ProviderName"]
