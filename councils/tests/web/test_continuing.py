"""Going on from a run: what is offered and what it says of costs, what the buttons do, and the versions that come of it."""

import re

import pytest
from django.test import Client
from django.utils.html import strip_tags

from councils.engine.types import RunStatus, StepStatus
from councils.models import CouncilConfiguration, CouncilRun, User
from councils.services.repeating import regenerate_answer, retry_run
from councils.tests.factories import RunPlan, finished_plan, make_council, make_run, make_user

DONE, FAILED, LATE = StepStatus.DONE, StepStatus.FAILED, StepStatus.LATE_DONE
ENDED = [RunStatus.SUCCEEDED, RunStatus.PARTIAL, RunStatus.FAILED, RunStatus.CANCELLED]


def offered(page: Client, run: CouncilRun) -> list[str]:
    """The ways to go on that the page of a run has a button for, in order."""
    text = page.get(f"/runs/{run.public_id}/").text
    return re.findall(rf'action="/runs/{run.public_id}/(retry|regenerate|again)/"', text)


def says(page: Client, run: CouncilRun, way: str) -> str:
    found = re.search(rf'id="say-{way}"[^>]*>(.*?)</p>', page.get(f"/runs/{run.public_id}/").text, re.DOTALL)
    assert found
    return strip_tags(found[1])


def press(page: Client, run: CouncilRun, way: str, **data: str) -> str:
    return page.post(f"/runs/{run.public_id}/{way}/", data)["Location"]


class TestOffers:
    @pytest.mark.parametrize("status", list(RunStatus))
    def test_an_ended_run_can_be_asked_again_and_a_live_one_cannot(
        self, page: Client, ada: User, council: CouncilConfiguration, status: RunStatus
    ) -> None:
        assert ("again" in offered(page, make_run(owner=ada, council=council, status=status))) is (status in ENDED)

    def test_what_went_well_can_be_written_anew_and_has_nothing_to_retry(
        self, page: Client, ada: User, council: CouncilConfiguration
    ) -> None:
        assert offered(page, make_run(owner=ada, council=council)) == ["regenerate", "again"]

    def test_what_failed_in_part_can_be_retried_first(self, page: Client, ada: User, council: CouncilConfiguration) -> None:
        plan = RunPlan(opinions=[DONE, FAILED, DONE, FAILED], reviews=[FAILED, FAILED])

        assert offered(page, make_run(owner=ada, council=council, status=RunStatus.FAILED, plan=plan)) == ["retry", "again"]

    def test_where_nothing_can_be_kept_trying_again_is_asking_again(self, page: Client, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(owner=ada, council=council, status=RunStatus.FAILED, plan=RunPlan(opinions=[FAILED] * 4))

        assert offered(page, run) == ["again"]

    def test_an_earlier_question_can_be_gone_on_with_too(self, page: Client, ada: User, council: CouncilConfiguration) -> None:
        failed = make_run(owner=ada, council=council, status=RunStatus.FAILED)
        make_run(owner=ada, council=council, conversation=failed.conversation)

        assert offered(page, failed) == ["again"]

    def test_nothing_is_offered_while_the_conversation_is_busy(self, page: Client, ada: User, council: CouncilConfiguration) -> None:
        failed = make_run(owner=ada, council=council, status=RunStatus.FAILED)
        live = make_run(owner=ada, council=council, conversation=failed.conversation, status=RunStatus.RUNNING)

        assert offered(page, failed) == []
        assert f"/runs/{live.public_id}/" in page.get(f"/runs/{failed.public_id}/").text

    def test_nothing_is_offered_when_the_council_cannot_be_asked(self, page: Client, ada: User, council: CouncilConfiguration) -> None:
        failed = make_run(owner=ada, council=council, status=RunStatus.FAILED)
        CouncilConfiguration.objects.update(is_active=False)

        assert offered(page, failed) == []


class TestWhatOffersSay:
    @pytest.mark.parametrize(
        ("plan", "sentences"),
        [
            (
                RunPlan(opinions=[DONE, FAILED, DONE, DONE], reviews=[DONE, FAILED, DONE, DONE]),
                "3 answers are kept and not paid again. Skeptic is asked again. Then everybody reviews anew, and the chairman writes anew.",
            ),
            (
                RunPlan(opinions=[DONE, FAILED, FAILED, FAILED]),
                (
                    "1 answer is kept and not paid again. Skeptic, Customer, Operator are asked again. "
                    "Then everybody reviews anew, and the chairman writes anew."
                ),
            ),
            (
                RunPlan(opinions=[DONE] * 4, reviews=[DONE, FAILED, StepStatus.INVALID, DONE], counted=False, synthesis=DONE),
                (
                    "4 answers are kept and not paid again. 2 ballots are kept too. Skeptic, Customer are asked for their ballots again. "
                    "Then the votes are counted, and the chairman writes anew."
                ),
            ),
            (
                RunPlan(opinions=[DONE, DONE, DONE, LATE], reviews=[DONE] * 3),
                (
                    "4 answers are kept and not paid again. What came too late for this try counts in the next one. "
                    "Everybody reviews anew. Then the votes are counted, and the chairman writes anew."
                ),
            ),
            (
                RunPlan(opinions=[DONE] * 4, reviews=[DONE] * 4, counted=True, synthesis=FAILED),
                "4 answers are kept and not paid again. 4 ballots are kept too. Only the chairman is asked again.",
            ),
        ],
        ids=["one failed", "most failed", "ballots failed", "one was late", "the chairman failed"],
    )
    def test_a_retry_says_what_is_kept_and_what_is_paid_again(
        self, page: Client, ada: User, council: CouncilConfiguration, plan: RunPlan, sentences: str
    ) -> None:
        run = make_run(owner=ada, council=council, status=RunStatus.FAILED, plan=plan)

        assert says(page, run, "retry").startswith(sentences)

    def test_another_wording_says_that_all_else_is_kept_and_what_the_last_one_cost(
        self, page: Client, ada: User, council: CouncilConfiguration
    ) -> None:
        text = says(page, make_run(owner=ada, council=council), "regenerate")

        assert text.startswith("All opinions and ballots are kept. Only the chairman is asked again. The same work has cost 0.0009")

    def test_where_no_ballot_counted_none_is_said_to_be_kept(self, page: Client, ada: User, council: CouncilConfiguration) -> None:
        plan = RunPlan(opinions=[DONE] * 4, reviews=[FAILED] * 4, synthesis=DONE)

        text = says(page, make_run(owner=ada, council=council, status=RunStatus.PARTIAL, plan=plan), "regenerate")

        assert text.startswith("All opinions are kept, and there are no ballots.")

    def test_asking_again_says_plainly_that_all_of_it_costs_again(self, page: Client, ada: User, council: CouncilConfiguration) -> None:
        text = says(page, make_run(owner=ada, council=council, status=RunStatus.PARTIAL), "again")

        assert "All members of Pricing council answer once more, and that costs once more." in text
        assert "This try has cost 0.0085 USD." in text.replace("\xa0", " ")

    def test_an_unknown_cost_is_not_called_a_cost(self, page: Client, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(owner=ada, council=council, status=RunStatus.PARTIAL, unknown_costs=1)

        assert "This try has cost" not in says(page, run, "again")

    def test_the_page_of_a_blind_run_does_not_name_who_failed(self, page: Client, ada: User, council: CouncilConfiguration) -> None:
        plan = RunPlan(opinions=[DONE, FAILED, DONE, DONE])
        run = make_run(owner=ada, council=council, status=RunStatus.CANCELLED, plan=plan, blind=True)

        assert "1 member is asked again." in says(page, run, "retry")
        assert "Skeptic" not in page.get(f"/runs/{run.public_id}/").text


class TestButtons:
    @pytest.mark.parametrize("way", ["retry", "regenerate", "again"])
    def test_one_click_leads_to_the_new_run_and_two_to_the_same(
        self, page: Client, ada: User, council: CouncilConfiguration, way: str
    ) -> None:
        plan = RunPlan(opinions=[DONE] * 4, reviews=[DONE, DONE, DONE, FAILED], counted=True, synthesis=DONE)
        earlier = make_run(owner=ada, council=council, plan=plan)

        first, second = (press(page, earlier, way, nonce="n1") for _ in range(2))

        newer = CouncilRun.objects.exclude(pk=earlier.pk).get()
        assert first == second == f"/runs/{newer.public_id}/"
        assert (newer.message, newer.based_on) == (earlier.message, earlier)

    def test_another_wording_can_be_wanted_again_and_again(self, page: Client, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(owner=ada, council=council)

        for nonce in ("n1", "n2", "n3"):
            press(page, run, "regenerate", nonce=nonce)
            CouncilRun.objects.filter(status="queued").update(status="failed")

        assert run.message.deliberations.count() == 4

    @pytest.mark.parametrize("way", ["regenerate", "again"])
    @pytest.mark.parametrize("nonce", ["a\x00b", "\x00", "x" * 5000, "🤔"])
    def test_whatever_is_sent_as_a_nonce_starts_one_run(
        self, page: Client, ada: User, council: CouncilConfiguration, way: str, nonce: str
    ) -> None:
        """PostgreSQL takes no NUL in a text."""
        run = make_run(owner=ada, council=council)

        first, second = (press(page, run, way, nonce=nonce) for _ in range(2))

        newer = CouncilRun.objects.exclude(pk=run.pk).get()
        assert first == second == f"/runs/{newer.public_id}/"
        assert newer.idempotency_key is not None
        assert newer.idempotency_key.isprintable()

    def test_every_page_that_is_shown_has_a_nonce_of_its_own(self, page: Client, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(owner=ada, council=council)

        seen = [re.findall(r'name="nonce" value="(\w+)"', page.get(f"/runs/{run.public_id}/").text)[0] for _ in range(2)]

        assert seen[0] != seen[1]

    def test_a_refusal_is_told_on_the_page_of_the_run(self, page: Client, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(owner=ada, council=council)

        response = page.post(f"/runs/{run.public_id}/retry/", follow=True)

        assert response.redirect_chain == [(f"/runs/{run.public_id}/", 302)]
        assert "Nothing failed in it." in response.text
        assert CouncilRun.objects.count() == 1

    @pytest.mark.parametrize("way", ["retry", "regenerate", "again"])
    def test_what_is_somebody_elses_is_not_there(self, page: Client, way: str) -> None:
        foreign = make_run(owner=make_user("bob"))

        assert page.post(f"/runs/{foreign.public_id}/{way}/").status_code == 404
        assert CouncilRun.objects.count() == 1

    @pytest.mark.parametrize("way", ["retry", "regenerate", "again"])
    def test_looking_does_nothing(self, page: Client, ada: User, council: CouncilConfiguration, way: str) -> None:
        assert page.get(f"/runs/{make_run(owner=ada, council=council).public_id}/{way}/").status_code == 405

    def test_it_counts_as_a_question_for_the_limit(self, page: Client, ada: User, council: CouncilConfiguration) -> None:
        for _ in range(20):
            page.post("/", {"council": council.slug, "question": "?"})
        failed = make_run(owner=ada, council=council, status=RunStatus.FAILED)
        runs = CouncilRun.objects.count()

        response = page.post(f"/runs/{failed.public_id}/again/", follow=True)

        assert "You have asked many questions within a minute." in response.text
        assert CouncilRun.objects.count() == runs


class TestVersions:
    @pytest.fixture
    def runs(self, ada: User, council: CouncilConfiguration) -> list[CouncilRun]:
        """A question in three versions: answered, written anew, and a retry that failed."""
        first = make_run(owner=ada, council=council, plan=finished_plan(4), answer="The first answer")
        second, _ = regenerate_answer(by=ada, run=first)
        CouncilRun.objects.filter(pk=second.pk).update(status="partial", answer="The second answer")
        second.refresh_from_db()
        third, _ = retry_run(by=ada, run=second)
        CouncilRun.objects.filter(pk=third.pk).update(status="failed", reason="It failed.")
        third.refresh_from_db()
        return [first, second, third]

    def test_a_run_says_which_version_it_is_and_leads_to_the_others(self, page: Client, runs: list[CouncilRun]) -> None:
        text = page.get(f"/runs/{runs[1].public_id}/").text

        assert "Version 2 of 3: written anew" in text
        assert f'href="/runs/{runs[0].public_id}/"' in text
        assert f'href="/runs/{runs[2].public_id}/"' in text

    def test_the_only_version_says_nothing_of_versions(self, page: Client, ada: User, council: CouncilConfiguration) -> None:
        assert "Version" not in strip_tags(page.get(f"/runs/{make_run(owner=ada, council=council).public_id}/").text)

    def test_versions_are_one_question_of_the_conversation(
        self, page: Client, ada: User, council: CouncilConfiguration, runs: list[CouncilRun]
    ) -> None:
        later = make_run(owner=ada, council=council, conversation=runs[0].conversation)

        assert "question 2 of 2" in page.get(f"/runs/{later.public_id}/").text

    def test_the_conversation_shows_the_newest_version_that_has_an_answer(self, page: Client, runs: list[CouncilRun]) -> None:
        text = page.get(f"/conversations/{runs[0].conversation.public_id}/").text

        assert text.count("turn-question") == 1
        assert "The second answer" in text
        assert "The first answer" not in text
        assert "Version 2 of 3" in text

    @pytest.mark.parametrize(("place", "seen"), [(0, "The first answer"), (2, "It failed.")])
    def test_the_conversation_shows_the_version_that_is_chosen(self, page: Client, runs: list[CouncilRun], place: int, seen: str) -> None:
        text = page.get(f"/conversations/{runs[0].conversation.public_id}/", {"show": runs[place].public_id}).text

        assert seen in text
        assert "The second answer" not in text

    @pytest.mark.parametrize("show", ["", "x", "\x00", "a" * 26])
    def test_a_version_that_does_not_exist_changes_nothing(self, page: Client, runs: list[CouncilRun], show: str) -> None:
        assert "The second answer" in page.get(f"/conversations/{runs[0].conversation.public_id}/", {"show": show}).text

    def test_while_a_version_is_made_the_answer_stays_and_the_work_can_be_watched(
        self, page: Client, ada: User, runs: list[CouncilRun]
    ) -> None:
        live, _ = regenerate_answer(by=ada, run=runs[0])

        text = page.get(f"/conversations/{runs[0].conversation.public_id}/").text

        assert "The second answer" in text
        assert f'href="/runs/{live.public_id}/"' in text
        assert "<textarea" not in text

    def test_without_any_answer_the_newest_version_is_shown(self, page: Client, ada: User) -> None:
        council = make_council(name="Other council")
        first = make_run(owner=ada, council=council, status=RunStatus.FAILED, reason="The first failed.")
        newer, _ = retry_run(by=ada, run=first)
        CouncilRun.objects.filter(pk=newer.pk).update(status="failed", reason="The second failed.")

        text = page.get(f"/conversations/{first.conversation.public_id}/").text

        assert "The second failed." in text
        assert "The first failed." not in text

    def test_kept_answers_say_that_they_were_not_paid_again(self, page: Client, runs: list[CouncilRun]) -> None:
        assert "kept from an earlier try, not paid again" in page.get(f"/runs/{runs[1].public_id}/").text

    def test_the_list_counts_questions_and_not_their_versions(self, page: Client, runs: list[CouncilRun]) -> None:
        assert "3 questions" not in page.get("/conversations/").text
