"""How long to wait before the next connect, and when a loss means that another has our name."""

import random
from dataclasses import dataclass, field

BACKOFF_MIN_S = 1.0
BACKOFF_MAX_S = 60.0
TAKEN_OVER_MIN_S = 60.0
TAKEN_OVER_MAX_S = 3600.0
# MQTT 3.1.1 does not say that another client took our id, nor does every broker of MQTT 5
# (Mosquitto 2.0.11): we lose the connection at once, again and again.
EARLY_LOSS_S = 10.0
EARLY_LOSSES = 3
# Of a broker that says why it hangs up, or of which we know it: so often it is asked again at once,
# for what was too large for it takes two to find.
HANG_UPS_AT_ONCE = 3
# Two that fight politely hold the connection for minutes each.
PEACE_AFTER_S = 7200.0
# The broker's reasons (MQTT 5, section 2.4).
TAKEN_OVER = 0x8E
UNSPECIFIED = 0x80


@dataclass(slots=True)
class Reconnect:
    """Each method answers with the seconds to wait.

    Not fighting is the point of the long waits: whoever took our name may be the one in use.
    """

    first_wait_s: float = BACKOFF_MIN_S
    taken_over: bool = field(default=False, init=False)
    _wait_s: float = field(default=0.0, init=False)
    _early_losses: int = field(default=0, init=False)
    _hang_ups: int = field(default=0, init=False)
    _takeovers: int = field(default=0, init=False)
    _random: random.Random = field(default_factory=random.Random, init=False)

    def on_refused(self, *, lasting: bool) -> float:
        """No connection came about; `lasting` where only a person can help."""
        # A broker that cannot be reached restarts; one that has our name taken stays.
        self._early_losses = self._takeovers = 0
        self.taken_over = False
        self._wait_s = min((self._wait_s or self.first_wait_s) * 2, BACKOFF_MAX_S)
        if lasting:
            self._wait_s = BACKOFF_MAX_S
        return self._jittered(self._wait_s)

    def on_lost(self, stayed_s: float, reason: int | None, *, explained: bool) -> float:
        """A connection ended after `stayed_s` with the broker's reason code, None where unknown.

        `explained` where the loss has a reason of its own.
        """
        self._wait_s = 0.0
        if stayed_s >= PEACE_AFTER_S:
            self._takeovers = 0
        early, unnamed = stayed_s < EARLY_LOSS_S, reason in (None, UNSPECIFIED) and not explained
        self._early_losses = self._early_losses + 1 if early and unnamed else 0
        self._hang_ups = self._hang_ups + 1 if early and not unnamed else 0
        self.taken_over = reason == TAKEN_OVER or self._early_losses >= EARLY_LOSSES
        if not self.taken_over:
            # Nothing changes for its asking: a broker with a quota bans who does not wait.
            doublings = min(max(0, self._hang_ups - HANG_UPS_AT_ONCE), 10)
            return self._jittered(min(self.first_wait_s * 2.0**doublings, BACKOFF_MAX_S))
        # The very next early loss says the same again.
        self._early_losses = EARLY_LOSSES - 1
        wait_s = min(TAKEN_OVER_MIN_S * 2.0**self._takeovers, TAKEN_OVER_MAX_S)
        self._takeovers = min(self._takeovers + 1, 10)
        return wait_s

    def _jittered(self, wait_s: float) -> float:
        return wait_s * self._random.uniform(0.5, 1.0)
