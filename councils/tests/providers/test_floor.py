import asyncio

import pytest

from benchmarks.fake.server import Running
from benchmarks.floor import MODEL, STAGES, at_a_time, critical_path_s, figures, run_floor


def test_the_critical_path_is_three_stages_of_one_answer() -> None:
    assert critical_path_s(MODEL) == pytest.approx(2.28)
    assert critical_path_s("fake:tokens=100") == 0


async def test_one_run_is_nine_calls(fake: Running) -> None:
    model = "fake:tokens=3,name=floor"
    measured = await run_floor(fake.url, 2, 2, model=model)

    assert (measured.runs, measured.parallel) == (2, 2)
    # One more run warms up.
    calls = 3 * sum(STAGES)
    entries = await asyncio.to_thread(fake.wait_for_entries, model, calls)
    assert [entry.tokens for entry in entries] == [3] * calls


def test_overhead_is_what_goes_beyond_the_critical_path() -> None:
    measured = figures([2.38, 2.28, 2.48], parallel=1, model=MODEL, wall_s=6.0, cpu_s=0.3)

    assert measured.overhead_median_s == pytest.approx(0.1)
    assert measured.overhead_p95_s == pytest.approx(0.2)
    assert measured.runs_per_s == pytest.approx(0.5)
    assert measured.cpu_s_per_run == pytest.approx(0.1)


async def test_no_more_runs_than_asked_for_are_under_way() -> None:
    under_way, most = 0, 0

    async def run() -> float:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return 1.0

    assert await at_a_time(3, [run() for _ in range(10)]) == [1.0] * 10
    assert most == 3
