"""What devices, and the broker for them, say of the schedules that they hold. Plain calls."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from agent.contracts.text import read_member
from agent.dispatch.holdings import Holdings
from agent.dispatch.limit_proof import LimitProof
from agent.dispatch.outbid import Outbid
from agent.dispatch.outbox import Outbox, device_lane
from agent.dispatch.published import ANSWERS_WITHIN_S
from agent.dispatch.revisions import Revisions
from agent.energy.readings import Acknowledgement, AckStatus
from agent.ports import DeviceAdapter
from agent.records.ledger import Ledger


@dataclass(slots=True)
class Acknowledgements:
    """`former`: devices of an earlier config, whose schedules the broker may still hold.

    `on_news` hears when something has to be given anew, `on_room` when a device has answered that
    it takes less, `on_take_back(device)` when its schedule is to be taken back.
    """

    adapters: Mapping[str, DeviceAdapter]
    outbox: Outbox
    ledger: Ledger
    holdings: Holdings
    revisions: Revisions
    outbid: Outbid
    proof: LimitProof
    on_news: Callable[[], None]
    on_room: Callable[[], None]
    on_take_back: Callable[[str], None]
    former: set[str] = field(default_factory=set, init=False)
    _unanswered: dict[str, dict[int, int]] = field(default_factory=dict, init=False)

    def revision_problem(self, device: str) -> str | None:
        """What is wrong with the revision that the device says it holds."""
        return self.revisions.problem(device)

    def expect(self, device: str, revision: int, now: int) -> None:
        """It was given that revision, and is to answer."""
        self._unanswered.setdefault(device, {}).setdefault(revision, now)

    def on_ack(self, device: str, ack: Acknowledgement, now: int) -> None:
        if not self.revisions.acknowledged(device, ack.revision, now):
            refuses = ack.status is AckStatus.REJECTED and self.holdings.held(device) is not None
            if refuses and self.revisions.take_back(device, now):
                self.on_take_back(device)
                self.on_news()
            return
        self._look_for_higher(device, ack.revision, now)
        if ack.status is AckStatus.ACCEPTED:
            self._count_followed(device, ack.revision)
        deferred = self.holdings.deferred.get(device)
        if deferred is not None and deferred.schedule.revision == ack.revision:
            deferred.is_answered = True
            return
        item = self.holdings.published.get(device)
        if item is not None and _did_not_take(ack) and item.refuse(ack):
            self.on_news()
        self.holds(device, ack.revision)

    def holds(self, device: str, revision: int) -> None:
        """The device has said that it holds that revision, which is on the broker."""
        item = self.holdings.published.get(device)
        if item is None:
            return
        if item.answer(revision):
            self.on_room()
        if item.holds(revision):
            self.proof.has(device)

    def _count_followed(self, device: str, revision: int) -> None:
        """That one, and those before it that were replaced sooner than anybody has to answer."""
        waiting = self._unanswered.get(device, {})
        if revision not in waiting:
            return
        known = [at for at in waiting if at <= revision]
        replaced = [waiting[later] - waiting[old] for old, later in pairwise(known)]
        account = self.ledger.of(device)
        account.schedules_followed += 1 + sum(1 for age in replaced if age < ANSWERS_WITHIN_S)
        for old in known:
            del waiting[old]

    def on_schedule_seen(self, device: str, payload: bytes, now: int, *, retained: bool) -> bool:
        """A schedule on the broker: ours or an earlier life's (True), or another agent's."""
        if not payload:
            return True
        revision = read_member(payload, "revision")
        if isinstance(revision, bool) or not isinstance(revision, int):
            return True
        configured = device in self.holdings.profiles
        if configured and self.revisions.on_broker(device, revision):
            self._look_for_higher(device, revision, now)
        if retained:
            return configured or device in self.former
        return self.revisions.is_ours(device, revision)

    def _look_for_higher(self, device: str, revision: int, now: int) -> None:
        """A device takes no lower revision than it holds: then it is given ours anew."""
        held = self.holdings.held(device)
        if held is not None and self.outbid.seen(device, revision, held.revision, now):
            self.on_news()

    def overdue(self, now: int) -> list[str]:
        """Who should have answered by now: it counts as following what it was told last."""
        holdings = self.holdings
        late = [
            name
            for name, item in holdings.published.items()
            if item.overdue(
                now,
                is_out=name not in holdings.deferred and self.outbox.is_out(device_lane(name)),
            )
        ]
        return [name for name in late if self.adapters[name].acknowledges]


def _did_not_take(ack: Acknowledgement) -> bool:
    """Does it say that it holds something else than it was told last, or nothing?"""
    gone = ack.status is AckStatus.ABORTED and ack.revision == 0
    return gone or ack.status in (AckStatus.REJECTED, AckStatus.REVOKED)
