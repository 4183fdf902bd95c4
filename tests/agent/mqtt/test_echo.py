"""What comes back of what was published, where the broker tells nothing of its rules."""

import asyncio
from datetime import UTC, datetime

from agent.mqtt.echo import ECHO_WITHIN_S, EchoCheck
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 16, tzinfo=UTC)


def test_a_topic_of_the_same_name_where_nobody_listens_is_not_waited_for() -> None:
    async def main(_clock: object) -> bool:
        check = EchoCheck(["flatpeak/home/plan"])
        late = asyncio.ensure_future(check.missing())
        check.sending("flatpeak/home/plan")
        check.sent("flatpeak/home/plan", confirmed=True)
        check.sending("flatpeak/home/ha/device/ev/plan")
        check.sent("flatpeak/home/ha/device/ev/plan", confirmed=True)
        check.hear("flatpeak/home/plan", retained=False)
        await asyncio.sleep(2 * ECHO_WITHIN_S)
        done = late.done()
        late.cancel()
        return done

    assert not run_virtual(main, START)


def test_what_does_not_come_back_is_late() -> None:
    async def main(_clock: object) -> bool:
        check = EchoCheck(["flatpeak/home/plan"])
        check.sending("flatpeak/home/plan")
        check.sent("flatpeak/home/plan", confirmed=True)
        return await check.missing()

    assert run_virtual(main, START)
