"""Which runs are sent again: those that stay free, not too often, not too many."""

from councils.runner.unowned import MOST, Unowned
from councils.store.claims import LiveRun


def free(pk: int, *, epoch: int = 0) -> LiveRun:
    return LiveRun(pk=pk, sign=(epoch, 0), free=True)


def owned(pk: int) -> LiveRun:
    return LiveRun(pk=pk, sign=(1, 5), free=False)


def test_a_run_that_has_just_been_seen_free_may_still_have_its_message_on_the_way() -> None:
    unowned = Unowned(patience_s=8)

    assert unowned.due([free(1)], now=100) == []
    assert unowned.due([free(1)], now=107.9) == []
    assert unowned.due([free(1)], now=108) == [1]


def test_a_run_is_sent_again_once_in_that_time() -> None:
    unowned = Unowned(patience_s=8)

    sent = [unowned.due([free(1)], now=now) for now in (0, 5, 10, 15, 20, 25)]

    assert sent == [[], [], [1], [], [1], []]


def test_runs_that_somebody_owns_are_left_alone_however_long() -> None:
    unowned = Unowned(patience_s=8)

    assert [unowned.due([owned(1)], now=now) for now in (0, 100)] == [[], []]


def test_a_run_that_was_owned_in_between_begins_anew() -> None:
    unowned = Unowned(patience_s=8)
    unowned.due([free(1)], now=0)

    assert unowned.due([free(1, epoch=1)], now=9) == []
    assert unowned.due([free(1, epoch=1)], now=17) == [1]


def test_a_queue_is_not_flooded_and_the_oldest_come_first() -> None:
    unowned, runs = Unowned(patience_s=8), [free(pk) for pk in range(1, 251)]
    unowned.due(runs, now=0)

    rounds = [unowned.due(runs, now=now) for now in (8, 9, 10, 11)]

    assert [len(sent) for sent in rounds] == [MOST, MOST, 50, 0]
    assert rounds[0][0] == 1
    assert len({pk for sent in rounds for pk in sent}) == 250


def test_what_has_ended_is_forgotten() -> None:
    unowned = Unowned(patience_s=8)
    unowned.due([free(1)], now=0)
    unowned.due([], now=5)

    assert unowned.due([free(1)], now=9) == []
