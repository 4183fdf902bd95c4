"""What is known of a device, and for how long it is believed."""

from datetime import UTC, datetime, timedelta

from agent.energy.readings import Acknowledgement, AckStatus, Reading
from agent.home.device_state import DeviceState

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def tracker() -> DeviceState:
    return DeviceState("ev", 7400.0)


def test_power_between_readings_becomes_energy() -> None:
    t = tracker()
    t.note(Reading("power_w", 6000.0, NOW), NOW)
    t.note(Reading("power_w", 0.0, NOW + 5 * MINUTE), NOW + 5 * MINUTE)
    t.integrate_to(NOW + 60 * MINUTE)
    assert round(t.session_energy_kwh, 6) == 0.5
    assert [round(taking.energy_kwh, 6) for taking in t.pop_intervals()] == [0.5]
    assert not t.pop_intervals()


def test_a_device_that_falls_silent_is_not_metered_for_ever() -> None:
    t = tracker()
    t.note(Reading("power_w", 6000.0, NOW), NOW)
    t.integrate_to(NOW + 5 * 60 * MINUTE)
    assert round(t.session_energy_kwh, 6) == 6.0
    assert t.number("power_w", NOW + 5 * 60 * MINUTE) is None


def test_a_car_keeps_its_place_but_a_soc_grows_old() -> None:
    t = tracker()
    t.note(Reading("plugged", True, NOW), NOW)
    t.note(Reading("soc_percent", 40.0, NOW), NOW)
    later = NOW + timedelta(days=2)
    assert t.value("plugged", later) is True
    assert t.number("soc_percent", later) is None


def test_a_retained_repeat_keeps_its_time_and_another_counts_as_a_day_old() -> None:
    t = tracker()
    t.note(Reading("soc_percent", 40.0, NOW - MINUTE), NOW)
    assert t.untimed_reading("soc_percent", 40.0, retained=True, now=NOW).at == NOW - MINUTE
    assert t.untimed_reading("soc_percent", 55.0, retained=True, now=NOW).at == NOW - timedelta(
        days=1
    )
    assert t.untimed_reading("soc_percent", 55.0, retained=False, now=NOW).at == NOW


def test_what_is_older_than_what_is_known_changes_nothing() -> None:
    t = tracker()
    assert t.note(Reading("plugged", True, NOW), NOW)
    assert not t.note(Reading("plugged", False, NOW - MINUTE), NOW)
    assert t.value("plugged", NOW) is True


def test_a_device_clock_ahead_of_ours_is_not_believed() -> None:
    t = tracker()
    t.note(Reading("soc_percent", 40.0, NOW + timedelta(hours=3)), NOW)
    assert t.readings["soc_percent"].at == NOW


def test_opting_out_holds_until_the_device_says_so_or_the_car_leaves() -> None:
    t = tracker()
    t.note(Reading("plugged", True, NOW), NOW)
    t.acknowledge(Acknowledgement(7, AckStatus.ABORTED, "user_opt_out"), NOW)
    assert t.opted_out(NOW + timedelta(hours=23))
    assert not t.opted_out(NOW + timedelta(hours=24))
    t.note(Reading("plugged", False, NOW + MINUTE), NOW + MINUTE)
    assert not t.opted_out(NOW + MINUTE)


def test_session_and_progress_survive_a_restart() -> None:
    t = tracker()
    t.note(Reading("plugged", True, NOW), NOW)
    t.progress["2026-01-16T20:00:00Z"] = 1.5
    again = tracker()
    again.restore(t.to_text(), t.readings)
    assert (again.session, again.progress) == (t.session, t.progress)
    assert again.value("plugged", NOW) is True
