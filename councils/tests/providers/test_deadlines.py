from councils.engine.types import Deadlines
from councils.providers.deadlines import TAIL_S, Stopwatch

LIMITS = Deadlines(first_token_s=60, idle_s=30, total_s=120)


def test_at_first_the_first_token_is_awaited() -> None:
    watch = Stopwatch(LIMITS, now=1000)

    assert watch.expires_at == 1060
    assert watch.verdict().startswith("first_token")


def test_progress_starts_the_idle_limit_anew() -> None:
    watch = Stopwatch(LIMITS, now=1000)
    watch.progress(1010)
    watch.progress(1020)

    assert watch.expires_at == 1050
    assert watch.verdict().startswith("idle")


def test_a_slow_drip_of_text_does_not_move_the_total_limit() -> None:
    watch = Stopwatch(LIMITS, now=1000)
    for second in range(1000, 1119, 10):
        watch.progress(second)

    assert watch.expires_at == 1120
    assert watch.verdict().startswith("total")


def test_a_total_shorter_than_the_first_token_limit_wins() -> None:
    watch = Stopwatch(Deadlines(first_token_s=60, total_s=5), now=0)

    assert watch.expires_at == 5
    assert watch.verdict().startswith("total")


def test_a_whole_text_waits_only_shortly_for_formalities() -> None:
    watch = Stopwatch(LIMITS, now=0)
    watch.progress(1)
    watch.text_is_whole(2)
    watch.progress(3)
    watch.text_is_whole(4)

    assert watch.expires_at == 2 + TAIL_S
