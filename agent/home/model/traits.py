"""What the configuration says of a device, as far as its model has to know it."""

from dataclasses import dataclass
from decimal import Decimal

from agent.home.model.thermal import ThermalTraits


@dataclass(frozen=True, slots=True)
class Traits:
    """What the configuration says of the device. `has_stays`: it comes and goes, like a car.

    `max_discharge_w` above 0: it gives back too, and its power and energy carry a sign.
    `produces`: it gives only, as an inverter; its power is what it gives, and nobody pays for it.
    `thermal`: it heats a store whose temperature is followed. `min_on_s` and `min_off_s` are the
    least times that a run and a pause last. `run_parts`: it is a program, whose run takes these
    seconds and W one after the other; one at rest takes `standby_w` at most.
    """

    max_power_w: float
    battery_kwh: float | None = None
    charge_efficiency: float = 1.0
    has_stays: bool = False
    max_discharge_w: float = 0.0
    discharge_efficiency: float = 1.0
    thermal: ThermalTraits | None = None
    produces: bool = False
    min_on_s: int = 0
    min_off_s: int = 0
    run_parts: tuple[tuple[int, int], ...] = ()
    standby_w: float = 0.0

    @property
    def gives_back(self) -> bool:
        return self.max_discharge_w > 0

    @property
    def round_trip_efficiency(self) -> Decimal:
        """The share of what is charged that can be given."""
        return Decimal(repr(self.charge_efficiency)) * Decimal(repr(self.discharge_efficiency))
