"""Where time is cut, and what a cell knows."""

from dataclasses import replace
from decimal import Decimal

from agent.energy.situation import CapacityCharge, PowerSpan, ProfileSegment, Program, Site
from agent.planning.problem import Problem, problem_of
from tests.agent.planning.tale import HOUR, NOW, demand, house, load


def edges(problem: Problem, until: int) -> list[int]:
    return [start for start in problem.grid.starts if start <= until]


def limited(**more: object) -> Site:
    return Site(import_limit_w=Decimal(5000), **more)  # type: ignore[arg-type]


def test_alone_only_prices_cut_time() -> None:
    problem = problem_of(house([0.3, 0.1], load(demand(1, 1.3))))
    assert not problem.coupled
    assert edges(problem, 2 * HOUR) == [0, HOUR, 2 * HOUR]


def test_coupled_cells_end_at_quarter_hours_and_named_instants() -> None:
    situation = house([0.3, 0.1], load(demand(1, 1, earliest_h=0.1)), site=limited())
    problem = problem_of(replace(situation, now=NOW + 60))
    assert problem.coupled
    # Quarter hours by the clock, and the window's begin six minutes after ten.
    assert edges(problem, HOUR - 60) == [0, 300, 840, 1740, 2640, 3540]


def test_a_coarse_grid_of_a_device_cuts_cells_and_a_fine_one_does_not() -> None:
    coarse = problem_of(house([0.3], load(demand(1, 1), grid_s=600), site=limited()))
    assert {600, 1200} <= set(coarse.grid.starts)
    fine = problem_of(house([0.3], load(demand(1, 1), grid_s=60), site=limited()))
    assert 60 not in fine.grid.starts


def test_a_program_under_way_is_base_load() -> None:
    profile = (ProfileSegment(600, Decimal(1000)), ProfileSegment(600, Decimal(200)))
    washer = Program("washer", profile, NOW + HOUR, started_at=NOW - 300)
    cells = problem_of(house([0.3], washer, site=limited())).grid.cells
    assert [cell.base for cell in cells[:3]] == [1_000_000, 200_000, 0]
    assert [cell.end for cell in cells[:2]] == [300, 900]


def test_a_limit_is_never_below_what_the_house_takes_alone() -> None:
    site = limited(
        base_load=(PowerSpan(NOW, NOW + HOUR, Decimal(6000)),),
        import_limits=(PowerSpan(NOW + HOUR, NOW + 2 * HOUR, Decimal(1000)),),
    )
    cells = problem_of(house([0.3, 0.3, 0.3], load(), site=site)).grid.cells
    limits = {cell.start: cell.import_limit for cell in cells}
    assert (limits[0], limits[HOUR], limits[2 * HOUR]) == (6_000_000, 1_000_000, 5_000_000)


def test_windows_of_a_capacity_charge_begin_at_local_midnight() -> None:
    charge = CapacityCharge(Decimal(4), 3600, Decimal(3000), None, NOW + 2 * HOUR, Decimal(1000))
    situation = house([0.3] * 3, load(), zone="Asia/Kathmandu", site=Site(capacity_charge=charge))
    grid = problem_of(situation).grid
    # It is 15:45 there: a quarter of the first window is left.
    assert [cell.window for cell in grid.cells[:6]] == [0, 1, 1, 1, 1, 2]
    assert [window.later for window in grid.windows[:4]] == [False, False, False, True]
