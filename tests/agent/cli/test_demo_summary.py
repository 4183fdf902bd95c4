"""What the demo says at its end: nothing that is not so."""

from datetime import timedelta
from decimal import Decimal

from agent.cli.demo_summary import Course, is_good, summary_text
from agent.records.ledger import Account, Ledger

COURSE = Course(timedelta(hours=12), "EUR", 4, 100, broken_off=False, asked_speed=1200)


def text(course: Course = COURSE, **accounts: Account) -> str:
    said = summary_text(Ledger(accounts), list(accounts), course)
    assert max(map(len, said.splitlines())) <= 80
    return said


def account(**values: int | str) -> Account:
    return Account(**{key: Decimal(value) if isinstance(value, str) else value
                      for key, value in values.items()})  # type: ignore[arg-type]  # fmt: skip


def test_ended_in_the_middle_of_a_night() -> None:
    said = text(ev=account(energy_kwh="10", cost="1", baseline_cost="3", open_needs=1,
                           schedules=2, schedules_followed=2))  # fmt: skip
    assert "Nothing was due yet." in said
    assert "was ready in time" not in said
    assert "1 still open" in said
    assert "saved 2.00 EUR (67%)" in said


def test_whoever_adds_up_the_table_comes_to_the_same() -> None:
    one = account(energy_kwh="1.04", cost="0.144", baseline_cost="0.244")
    other = account(energy_kwh="2.04", cost="0.244", baseline_cost="0.346")
    said = text(Course(timedelta(hours=1), "EUR", 4, 9, broken_off=False, asked_speed=1),
                ev=one, tank=other)  # fmt: skip
    assert "\nev               1.0 kWh    0.14    0.24    0.10 " in said
    assert "\ntank             2.0 kWh    0.24    0.35    0.11 " in said
    assert "3.0 kWh cost 0.38 EUR." in said
    assert "cost 0.59 EUR: saved 0.21 EUR (36%)." in said
    assert "\n1 simulated hour, " in said


def test_dearer_is_called_dearer() -> None:
    said = text(ev=account(energy_kwh="10", cost="3", baseline_cost="1"))
    assert "2.00 more" in said
    assert "saved 2" not in said
    assert "%" not in said


def test_nothing_taken() -> None:
    said = text(ev=Account())
    assert "Nothing was taken yet." in said
    assert "No schedule was sent yet." in said
    assert "saved" not in said.replace("  saved", "")


def test_what_was_missed_is_said() -> None:
    late = account(deadlines=2, deadlines_met=1, schedules=3, schedules_followed=2)
    said = text(ev=late)
    assert "1 of 2 was not ready in time" in said
    assert "1 schedule(s) had no acknowledgement: see the table" in said
    assert not is_good([late])


def test_a_slow_machine_is_named() -> None:
    course = Course(timedelta(hours=1), "EUR", 4, 9, broken_off=True, asked_speed=7200,
                    managed_speed=812.3)  # fmt: skip
    assert "about 812 times real time instead of 7200" in text(course, ev=Account())
