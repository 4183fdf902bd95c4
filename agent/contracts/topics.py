"""Topic names below the base, in one place."""

from dataclasses import dataclass

# What a device obeys, below its own topic.
OBEYED = ("schedule", "schedule/compact", "setpoint")


@dataclass(frozen=True, slots=True)
class Topics:
    """`base` is `<prefix>/<site>`, at most 64 bytes."""

    base: str

    @property
    def status(self) -> str:
        return f"{self.base}/status"

    @property
    def time(self) -> str:
        return f"{self.base}/time"

    def tariff(self, name: str) -> str:
        return f"{self.base}/tariff/{name}"

    @property
    def plan(self) -> str:
        return f"{self.base}/plan"

    @property
    def health(self) -> str:
        return f"{self.base}/health"

    @property
    def ledger(self) -> str:
        return f"{self.base}/ledger"

    @property
    def event(self) -> str:
        return f"{self.base}/event"

    def device(self, device: str, name: str) -> str:
        return f"{self.base}/device/{device}/{name}"

    def wish(self, device: str) -> str:
        return self.device(device, "wish")

    @property
    def any_request(self) -> str:
        return self.device("+", "request")

    @property
    def published(self) -> tuple[str, ...]:
        """Filters of what only we may publish, retained."""
        devices = [self.device("+", name) for name in OBEYED]
        tariff = (self.tariff("+"), self.tariff("+/list"))
        return (*devices, self.wish("+"), *tariff, *self._documents)

    def is_published(self, topic: str) -> bool:
        """Does one of those filters take it?"""
        part = self.device_part(topic)
        if part is not None:
            return part[1] in (*OBEYED, "wish")
        return topic in self._documents or topic.startswith(self.tariff(""))

    @property
    def _documents(self) -> tuple[str, ...]:
        return (self.status, self.plan, self.health, self.ledger, self.site_wish)

    @property
    def site_request(self) -> str:
        return f"{self.base}/site/request"

    @property
    def site_wish(self) -> str:
        return f"{self.base}/site/wish"

    @property
    def site_limit(self) -> str:
        return f"{self.base}/site/limit"

    def forecast(self, name: str) -> str:
        return f"{self.base}/site/forecast/{name}"

    def companion(self, name: str) -> str:
        """Where a companion publishes what is no part of the contract with devices."""
        return f"{self.base}/ha/{name}"

    def device_part(self, topic: str) -> tuple[str, str] | None:
        """(`<id>`, what follows) of a topic below `device/`, else None."""
        prefix = f"{self.base}/device/"
        if not topic.startswith(prefix):
            return None
        device, _, rest = topic[len(prefix) :].partition("/")
        return (device, rest) if device and rest else None
