"""What the sockets of a blind run say: texts under numbers, and no name before the pick."""

import json

from councils.models import CouncilRun, PickOutcome, RunStep, User
from councils.services.asking import Manner, ask_council
from councils.services.judging import pick_answer
from councils.services.veiling import Veil, veil_of
from councils.tests.blind import words_that_tell
from councils.tests.durability.support import Asker, ended
from councils.tests.live.conftest import OpenTab

STEADY = "tokens=60,rate=60"
SLOW = "tokens=300,rate=60"


def ask_blind(ask: Asker, asker: User, *behaviours: str) -> CouncilRun:
    return ask_council(by=asker, council=ask.council(*behaviours), question="Which is best?", manner=Manner(blind=True))[0]


def veil(run: CouncilRun) -> Veil:
    found = veil_of(CouncilRun.objects.get(pk=run.pk))
    assert found is not None
    return found


def told(run: CouncilRun, frames: list[str]) -> set[str]:
    return {word for word in words_that_tell(run) for frame in frames if word.casefold() in frame.casefold()}


def test_no_frame_names_anybody_and_all_texts_come_whole(ask: Asker, asker: User, open_tab: OpenTab) -> None:
    run = ask_blind(ask, asker, STEADY, STEADY, STEADY)

    with open_tab(run) as tab:
        tab.follow()

    assert told(run, tab.heard) == set()
    assert all(set(event) == {"seq", "type", "at"} for event in tab.events)
    texts = dict(RunStep.objects.filter(run=run, key__startswith="opinion").values_list("key", "text"))
    drafts = {key: draft.text for key, draft in tab.drafts.items() if key.startswith("opinion")}
    assert drafts == {veil(run).key(key): text for key, text in texts.items()}
    assert set(tab.drafts) <= {*drafts, "synthesis"}


def test_who_comes_late_is_told_no_names_either(ask: Asker, asker: User, open_tab: OpenTab) -> None:
    run = ask_blind(ask, asker, SLOW, SLOW, SLOW)

    with open_tab(run) as first:
        first.follow(until=lambda tab: len(tab.drafts) == 3 and all(len(draft.text) > 50 for draft in tab.drafts.values()))
        with open_tab(run) as late:
            late.hear()

    assert late.snapshots == 1
    assert list(late.drafts) == ["opinion:answer_1", "opinion:answer_2", "opinion:answer_3"]
    assert told(run, [*first.heard, *late.heard]) == set()


def test_a_pick_opens_the_sockets_that_are_there(ask: Asker, asker: User, open_tab: OpenTab) -> None:
    run = ask_blind(ask, asker, SLOW, SLOW, SLOW)

    with open_tab(run) as tab:
        tab.follow(until=lambda tab: len(tab.drafts) == 3)
        pick_answer(run=CouncilRun.objects.get(pk=run.pk), by=asker, outcome=PickOutcome.SKIPPED)
        tab.follow(until=lambda tab: '{"type": "changed"' in tab.heard[-1])
        blind_frames = list(tab.heard)
        tab.subscribe()
        tab.follow()

    assert told(run, blind_frames) == set()
    assert ended(run).answer
    assert {"opinion:agent_1", "opinion:agent_2", "opinion:agent_3"} <= {event.get("key") for event in tab.events}


def test_no_frame_tells_how_many_attempts_an_answer_took(ask: Asker, asker: User, open_tab: OpenTab) -> None:
    run = ask_blind(ask, asker, STEADY, "tokens=60,rate=60,fault=reset_mid,fail_first=1,name=again", STEADY)

    with open_tab(run) as tab:
        tab.follow()

    attempts = {(item[0], item[1]) for frame in map(json.loads, tab.heard) for item in frame.get("items", ()) if item[0] != "synthesis"}
    assert len({alias for alias, _ in attempts}) == 3
    # All of them are large and unlike each other; the retried one has one more, and a tab puts its text together all the same.
    assert min(number for _, number in attempts) > 1_000
    assert len({number for _, number in attempts}) == len(attempts)
    texts = dict(RunStep.objects.filter(run=run, key__startswith="opinion").values_list("key", "text"))
    assert {key: tab.drafts[key].text for key in (veil(run).key(key) or "" for key in texts)} == {
        veil(run).key(key): text for key, text in texts.items()
    }
