"""Whoever watches a run sees all of it: every event in order, every text to the last character, whenever they come."""

import signal
from typing import Any

import pytest

from benchmarks.fake import wording
from benchmarks.killing import Server
from councils.models import CouncilRun, RunStep
from councils.services.asking import cancel_run
from councils.store.events import events_after
from councils.tests.durability.support import Asker, ended
from councils.tests.live.conftest import OpenTab
from councils.tests.live.tab import Tab

STEADY = "tokens=60,rate=60"
EMOJI = ["👩‍👩‍👧‍👦", "naïve", "🇺🇳", "日本語", "😀😃", "é", "𝔘𝔫𝔦", "עברית", "plain"]


def stored(run: CouncilRun) -> list[dict[str, Any]]:
    run.refresh_from_db()
    return events_after(run, 0)


def assert_complete(tab: Tab) -> None:
    """The tab has every event as the database has it, and every text as it was stored."""
    assert [(event["seq"], event["type"]) for event in tab.events] == [(event["seq"], event["type"]) for event in stored(tab.run)]
    texts = dict(RunStep.objects.filter(run=tab.run).exclude(text="").values_list("key", "text"))
    assert {event["key"]: event["text"] for event in tab.events if "text" in event} == texts
    assert tab.events[-1]["answer"] == tab.run.answer != ""


def test_a_tab_that_is_there_from_the_start_sees_everything_as_it_is_written(ask: Asker, open_tab: OpenTab) -> None:
    run = ask(STEADY, STEADY, STEADY)

    with open_tab(run) as tab:
        tab.follow()

    assert_complete(tab)
    assert tab.written == dict(RunStep.objects.filter(run=run).exclude(text="").values_list("key", "text"))
    assert tab.snapshots == 1


def test_text_of_every_script_is_put_together_exactly(ask: Asker, open_tab: OpenTab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wording, "WORDS", EMOJI)
    run = ask(STEADY, STEADY, STEADY, question="😀 Which is best?")

    with open_tab(run) as tab:
        tab.follow()

    opinions = {key: text for key, text in tab.written.items() if key.startswith("opinion")}
    assert opinions == dict(RunStep.objects.filter(run=run, key__startswith="opinion").values_list("key", "text"))
    assert any("👩‍👩‍👧‍👦" in text for text in opinions.values())


def test_a_late_second_tab_converges_to_the_same_text(ask: Asker, open_tab: OpenTab) -> None:
    run = ask(STEADY, STEADY, STEADY)

    with open_tab(run) as first:
        first.follow(lambda tab: len(tab.drafts) == 3 and all(len(draft.text) > 40 for draft in tab.drafts.values()))
        with open_tab(run) as second:
            second.follow()
        first.follow()

    assert_complete(first)
    assert_complete(second)
    assert second.written == first.written


def test_a_tab_that_comes_after_the_end_gets_it_all(ask: Asker, open_tab: OpenTab) -> None:
    run = ended(ask("", "", ""))

    with open_tab(run) as tab:
        tab.follow()

    assert_complete(tab)


def test_a_tab_that_comes_back_gets_only_what_it_has_not(ask: Asker, open_tab: OpenTab) -> None:
    run = ask(STEADY, STEADY, STEADY)
    with open_tab(run) as before:
        before.follow(lambda tab: "opinion_completed" in tab.types)

    with open_tab(run, like=before) as after:
        after.follow()

    # A tab complains of any event that it has already.
    assert_complete(after)


def test_a_server_that_is_killed_costs_its_viewers_nothing(ask: Asker, open_tab: OpenTab, site: Server) -> None:
    run = ask(STEADY, STEADY, STEADY)
    with open_tab(run) as before:
        before.follow(lambda tab: any(draft.text for draft in tab.drafts.values()))
        site.send(signal.SIGKILL)
    site.start()

    with open_tab(run, like=before) as after:
        after.follow()

    assert_complete(after)
    assert after.written == dict(RunStep.objects.filter(run=run).exclude(text="").values_list("key", "text"))
    assert "run_resumed" in after.types


def test_a_server_that_is_stopped_hands_its_runs_over(ask: Asker, open_tab: OpenTab, site: Server) -> None:
    run = ask(STEADY, STEADY, STEADY)
    with open_tab(run) as before:
        before.follow(lambda tab: any(draft.text for draft in tab.drafts.values()))
        site.send(signal.SIGTERM)
    run.refresh_from_db()
    assert run.worker == ""
    site.start()

    with open_tab(run, like=before) as after:
        after.follow()

    assert_complete(after)


def test_a_failed_try_is_cleared_from_the_card(ask: Asker, open_tab: OpenTab) -> None:
    run = ask("tokens=30,rate=60,fault=reset_mid,fail_first=1,name=clears", STEADY, STEADY)

    with open_tab(run) as tab:
        tab.follow()

    assert "call_failed" in tab.types
    assert_complete(tab)
    assert tab.written["opinion:agent_1"] == RunStep.objects.get(run=run, key="opinion:agent_1").text


def test_a_cancel_reaches_the_viewers(ask: Asker, open_tab: OpenTab) -> None:
    run = ask("tokens=2000,rate=20", STEADY, STEADY)

    with open_tab(run) as tab:
        tab.follow(lambda tab: any(draft.text for draft in tab.drafts.values()))
        # From another process than the one that drives the run: the viewers find it in the database.
        cancel_run(run=run, by=ask.user)
        tab.follow()

    assert tab.events[-1]["status"] == "cancelled"


def test_a_tab_may_turn_to_another_run(ask: Asker, open_tab: OpenTab) -> None:
    first, second = ended(ask("", "", "")), ended(ask("", "", "", slug="second"))

    with open_tab(first) as tab:
        tab.follow()
        tab.run, tab.events = second, []
        tab.subscribe()
        tab.follow()

    assert_complete(tab)


def test_a_viewer_that_never_reads_does_not_hold_up_others(ask: Asker, open_tab: OpenTab) -> None:
    run = ask("tokens=3000,rate=3000", STEADY, STEADY)

    with open_tab(run), open_tab(run) as reader:
        reader.follow()

    assert_complete(reader)
