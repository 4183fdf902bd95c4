"""What a schedule has to know of a device: its words, its least and its most, its rules without us.

Powers are whole W, durations whole seconds. The rules are those of the wire contract's section 2.
"""

from dataclasses import dataclass
from decimal import Decimal

from agent.energy.phases import Phases
from agent.energy.schedule import HEAT, DefaultCommand, DeviceType, OfflineRule


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """`on_mode` is what it is told to run, `pause_mode` what a person's pause means.

    `min_power_w` is the least that it can run at; `min_on_s` and `min_off_s` the least times that
    a run and a pause last. `run_s` is how long a program runs. `surplus_only`:
    a battery that may not be charged from the grid. `roof_share`: an inverter's part of the roof.
    `empties_to_kwh`: so far a battery on its own logic covers the house, whatever is planned.
    `block_max_s` is how long in a row heat may be blocked; above `force_above_c` it is told to run
    with all it has (None: never).
    """

    id: str
    type: DeviceType
    on_mode: str
    pause_mode: str
    max_power_w: int
    min_power_w: int
    default: DefaultCommand
    offline: OfflineRule
    priority: int = 0
    phases: Phases | None = None
    min_on_s: int = 0
    min_off_s: int = 0
    run_s: int = 0
    run_parts: tuple[tuple[float, int], ...] = ()
    surplus_only: bool = False
    empties_to_kwh: Decimal = Decimal(0)
    block_max_s: int = 7200
    force_above_c: float | None = None
    roof_share: Decimal = Decimal(1)

    @property
    def is_heat(self) -> bool:
        return self.type in HEAT

    @property
    def produces(self) -> bool:
        """Does it give only? Its powers are then the most that it may give."""
        return self.type is DeviceType.PV_INVERTER

    def least_w(self, power_w: int) -> int:
        """The least it can be turned down to from that power without another switch."""
        if self.phases is None:
            return self.min_power_w
        return self.phases.least_w(self.phases.count_for(power_w))

    def most_w(self, power_w: int) -> int:
        """The most it can be turned up to from that power without another switch."""
        if self.phases is None:
            return self.max_power_w
        return self.phases.most_w(self.phases.count_for(power_w))

    def allowed_w(self, power_w: int) -> int:
        """The most it may be told that is no more than `power_w`, 0 where that is not enough."""
        if self.phases is not None:
            return self.phases.allowed_w(power_w)
        return power_w if power_w >= max(1, self.min_power_w) else 0

    def max_draw_w(self, mode: str, power_w: int) -> int:
        """The most that the device takes when told so; on its own logic its most of all."""
        if self.produces:
            return 0
        return self.max_power_w if mode == "release" else max(0, power_w)

    @property
    def offline_draw_w(self) -> int:
        """The most it takes on its offline rule; heat its highest, for its thermostat decides."""
        if self.is_heat:
            return self.max_power_w
        return self.max_draw_w(self.offline.mode, self.offline.power_w)
