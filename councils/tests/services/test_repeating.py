"""Going on with a question that was answered badly, in part or not at all, without paying for what is there."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from councils.engine.types import RunStatus, StepStatus
from councils.models import AnswerPick, CouncilConfiguration, CouncilRun, Message, ModelCall, ModelInfo, Provider, User
from councils.services.errors import ConversationBusy, ConversationGone, CouncilUnavailable, IdempotencyConflict, ModelsGone, NotRepeatable
from councils.services.repeating import ask_again, choices_for, regenerate_answer, retry_run
from councils.snapshot import Snapshot
from councils.tests.factories import RunPlan, finished_plan, make_council, make_model, make_run, make_user

pytestmark = pytest.mark.django_db
DONE, FAILED = StepStatus.DONE, StepStatus.FAILED
ONE_FAILED = RunPlan(opinions=[DONE, FAILED, DONE], reviews=[DONE, DONE, DONE], counted=False, synthesis=DONE)
Way = Callable[..., tuple[CouncilRun, bool]]
WAYS: list[Way] = [retry_run, regenerate_answer, ask_again]


@pytest.fixture
def ada() -> User:
    return make_user("ada")


@pytest.fixture
def council() -> CouncilConfiguration:
    return make_council(seats=3)


def keys(run: CouncilRun, **where: object) -> set[str]:
    return set(run.steps.filter(**where).values_list("key", flat=True))


class TestRetry:
    def test_what_went_well_is_kept_and_nothing_of_it_is_paid_again(self, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(owner=ada, council=council, status=RunStatus.PARTIAL, plan=ONE_FAILED)
        calls = ModelCall.objects.count()

        newer, is_new = retry_run(by=ada, run=run)

        assert is_new
        assert keys(newer) == keys(newer, carried=True) == {"opinion:agent_1", "opinion:agent_3"}
        assert ModelCall.objects.count() == calls
        assert (newer.known_cost_usd, newer.total_tokens, newer.status) == (Decimal(0), 0, RunStatus.QUEUED.value)

    def test_it_is_a_version_of_the_same_question(self, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(owner=ada, council=council, status=RunStatus.PARTIAL, plan=ONE_FAILED)

        newer, _ = retry_run(by=ada, run=run)

        assert (newer.message, newer.conversation, newer.based_on, newer.course) == (run.message, run.conversation, run, "retry")
        assert Message.objects.filter(role="user").count() == 1

    def test_a_kept_step_is_the_same_in_all_that_it_brought_and_leads_to_where_it_was_made(
        self, ada: User, council: CouncilConfiguration
    ) -> None:
        run = make_run(owner=ada, council=council, status=RunStatus.FAILED, plan=ONE_FAILED)
        first, _ = retry_run(by=ada, run=run)
        CouncilRun.objects.filter(pk=first.pk).update(status=RunStatus.FAILED.value)
        first.refresh_from_db()

        second, _ = retry_run(by=ada, run=first)

        made, kept = run.steps.get(key="opinion:agent_1"), second.steps.get(key="opinion:agent_1")
        assert kept.carried_from == made
        for name in ("text", "payload", "model_name", "latency_ms", "started_at", "finished_at", "status"):
            assert getattr(kept, name) == getattr(made, name)

    def test_an_answer_that_came_too_late_counts_in_the_next_try(self, ada: User, council: CouncilConfiguration) -> None:
        plan = RunPlan(opinions=[DONE, StepStatus.LATE_DONE, DONE], reviews=[FAILED, FAILED, FAILED])
        run = make_run(owner=ada, council=council, status=RunStatus.FAILED, plan=plan)

        newer, _ = retry_run(by=ada, run=run)

        assert keys(newer, status="done") == {f"opinion:agent_{n}" for n in (1, 2, 3)}

    def test_the_rules_are_the_earlier_ones_and_addresses_and_prices_todays(self, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(owner=ada, council=council, status=RunStatus.FAILED, plan=ONE_FAILED)
        before = Snapshot.from_json(run.config_snapshot)
        council.members.filter(agent_id="agent_1").update(name="Somebody else", persona="Be rude.")
        ModelInfo.objects.update(cost_per_1k_input_tokens=Decimal("0.5"))
        Provider.objects.update(base_url="http://127.0.0.1:10/v1")

        newer, _ = retry_run(by=ada, run=run)
        after = Snapshot.from_json(newer.config_snapshot)

        assert after.spec == replace(before.spec, patient=True)
        assert {target.input_price for target in after.models.values()} == {Decimal("0.5")}
        assert "127.0.0.1:10" in str(newer.config_snapshot["models"])
        assert "127.0.0.1:9/" not in str(newer.config_snapshot["models"])

    def test_a_seat_whose_model_was_switched_off_speaks_by_its_fallback(self, ada: User, council: CouncilConfiguration) -> None:
        seat = council.members.get(agent_id="agent_2")
        seat.fallback_model = make_model("spare")
        seat.save()
        run = make_run(owner=ada, council=council, status=RunStatus.FAILED, plan=ONE_FAILED)
        ModelInfo.objects.filter(pk=seat.model_id).update(is_active=False)

        newer, _ = retry_run(by=ada, run=run)

        spec = Snapshot.from_json(newer.config_snapshot).spec
        assert (spec.seat("agent_2").model, spec.seat("agent_2").fallbacks) == (f"m{seat.fallback_model.pk}", ())

    @pytest.mark.parametrize("what", ["the failed seat", "a reviewer", "the chairman", "the provider"])
    def test_a_model_that_is_needed_again_and_gone_is_named_with_what_to_do(
        self, ada: User, council: CouncilConfiguration, what: str
    ) -> None:
        chair = make_model("chair")
        CouncilConfiguration.objects.update(chairman_model=chair)
        run = make_run(owner=ada, council=council, status=RunStatus.FAILED, plan=ONE_FAILED)
        pk = {"the failed seat": council.members.all()[1].model_id, "a reviewer": council.members.all()[0].model_id}.get(what, chair.pk)
        if what == "the provider":
            Provider.objects.update(is_active=False)
        else:
            ModelInfo.objects.filter(pk=pk).update(is_active=False)
        named = {"the failed seat": "Skeptic", "a reviewer": "Analyst", "the chairman": "the chairman", "the provider": "Customer"}[what]

        with pytest.raises(ModelsGone, match=rf"Ask again from the start.*: .*{named}"):
            retry_run(by=ada, run=run)
        assert CouncilRun.objects.count() == 1

    def test_behind_the_veil_only_the_number_of_models_that_are_gone_is_told(self, ada: User, council: CouncilConfiguration) -> None:
        chair = make_model("chair")
        CouncilConfiguration.objects.update(chairman_model=chair)
        run = make_run(owner=ada, council=council, status=RunStatus.PARTIAL, plan=ONE_FAILED, blind=True)
        ModelInfo.objects.filter(pk=council.members.all()[1].model_id).update(is_active=False)

        with pytest.raises(ModelsGone, match=r"start.*: .* 1 of them is switched off or gone\.$") as behind:
            retry_run(by=ada, run=run)
        assert "Skeptic" not in behind.value.message

        AnswerPick.objects.create(run=run, by=ada, outcome="skipped")
        with pytest.raises(ModelsGone, match="Skeptic"):
            retry_run(by=ada, run=CouncilRun.objects.get(pk=run.pk))

    def test_a_model_that_only_gave_a_kept_answer_may_be_gone(self, ada: User, council: CouncilConfiguration) -> None:
        chair = make_model("chair")
        CouncilConfiguration.objects.update(chairman_model=chair)
        plan = RunPlan(opinions=[DONE] * 3, reviews=[DONE] * 3, counted=True, synthesis=FAILED)
        run = make_run(owner=ada, council=council, status=RunStatus.PARTIAL, plan=plan)
        ModelInfo.objects.exclude(pk=chair.pk).update(is_active=False)

        newer, _ = retry_run(by=ada, run=run)

        assert len(keys(newer, carried=True)) == 7

    def test_there_is_nothing_to_retry_where_all_went_well(self, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(owner=ada, council=council, plan=finished_plan(3))

        assert choices_for(run).retry is None
        with pytest.raises(NotRepeatable, match="Nothing failed in it"):
            retry_run(by=ada, run=run)

    def test_a_run_that_succeeded_with_a_member_missing_can_be_completed(self, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(owner=ada, council=council, plan=ONE_FAILED)

        choices = choices_for(run)

        assert choices.retry is not None
        assert choices.retry.asks == ("opinion:agent_2",)


class TestRegenerate:
    def test_everything_but_the_chairmans_part_is_kept(self, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(owner=ada, council=council, plan=finished_plan(3))

        newer, _ = regenerate_answer(by=ada, run=run)

        assert keys(newer, carried=True) == keys(newer) == keys(run) - {"synthesis"}
        assert (newer.course, newer.based_on) == ("synthesis", run)

    def test_it_can_be_wanted_several_times(self, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(owner=ada, council=council, plan=finished_plan(3))
        first, _ = regenerate_answer(by=ada, run=run, idempotency_key="one")
        CouncilRun.objects.filter(pk=first.pk).update(status=RunStatus.SUCCEEDED.value)

        second, is_new = regenerate_answer(by=ada, run=run, idempotency_key="two")

        assert is_new
        assert list(run.message.deliberations.order_by("pk")) == [run, first, second]

    @pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.CANCELLED])
    def test_without_an_answer_there_is_no_other_wording(self, ada: User, council: CouncilConfiguration, status: RunStatus) -> None:
        run = make_run(owner=ada, council=council, status=status, plan=RunPlan(opinions=[DONE] * 3, reviews=[DONE] * 3, counted=True))

        assert choices_for(run).regenerate is None
        with pytest.raises(NotRepeatable, match="at least two opinions"):
            regenerate_answer(by=ada, run=run)

    def test_of_one_opinion_there_is_no_other_wording(self, ada: User, council: CouncilConfiguration) -> None:
        run = make_run(owner=ada, council=council, status=RunStatus.PARTIAL, plan=RunPlan(opinions=[DONE, FAILED, FAILED]))

        assert choices_for(run).regenerate is None


class TestAgain:
    @pytest.mark.parametrize("status", [status for status in RunStatus if status not in (RunStatus.QUEUED, RunStatus.RUNNING)])
    def test_the_council_of_today_is_asked_from_the_start(self, ada: User, council: CouncilConfiguration, status: RunStatus) -> None:
        run = make_run(owner=ada, council=council, question="How high is it?", status=status)
        council.members.filter(agent_id="agent_1").update(name="Somebody else")

        newer, is_new = ask_again(by=ada, run=run)

        assert is_new
        assert (newer.message, newer.based_on, newer.course, newer.steps.count()) == (run.message, run, "full", 0)
        assert Snapshot.from_json(newer.config_snapshot).spec.seat("agent_1").name == "Somebody else"


@pytest.mark.parametrize("way", WAYS)
class TestEveryWay:
    @pytest.fixture
    def run(self, ada: User, council: CouncilConfiguration) -> CouncilRun:
        """A run in which nobody got round to the last ballot: every way is open."""
        plan = RunPlan(opinions=[DONE] * 3, reviews=[DONE, DONE, FAILED], counted=True, synthesis=DONE)
        return make_run(owner=ada, council=council, plan=plan)

    def test_the_earlier_run_stays_as_it_is(self, ada: User, run: CouncilRun, way: Way) -> None:
        before = CouncilRun.objects.values().get(pk=run.pk), list(run.steps.values()), list(run.events.values())

        way(by=ada, run=run)

        assert (CouncilRun.objects.values().get(pk=run.pk), list(run.steps.values()), list(run.events.values())) == before

    def test_sent_twice_with_one_key_it_asks_once(self, ada: User, run: CouncilRun, way: Way) -> None:
        first, is_new = way(by=ada, run=run, idempotency_key="key")

        assert is_new
        assert way(by=ada, run=run, idempotency_key="key") == (first, False)

    def test_a_key_of_another_request_is_refused(self, ada: User, run: CouncilRun, way: Way) -> None:
        CouncilRun.objects.filter(pk=run.pk).update(idempotency_key="key", request_hash="another")

        with pytest.raises(IdempotencyConflict):
            way(by=ada, run=run, idempotency_key="key")

    @pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.RUNNING])
    def test_it_waits_for_the_end_of_the_run(self, ada: User, council: CouncilConfiguration, way: Way, status: RunStatus) -> None:
        live = make_run(owner=ada, council=council, status=status)

        assert not choices_for(live)
        with pytest.raises(ConversationBusy):
            way(by=ada, run=live)

    def test_it_waits_while_another_question_of_the_conversation_is_answered(self, ada: User, run: CouncilRun, way: Way) -> None:
        make_run(owner=ada, council=run.council, conversation=run.conversation, status=RunStatus.RUNNING)

        with pytest.raises(ConversationBusy):
            way(by=ada, run=run)

    def test_a_question_in_a_deleted_conversation_is_not_gone_on_with(self, ada: User, run: CouncilRun, way: Way) -> None:
        run.conversation.deleted_at = run.created_at
        run.conversation.save()

        with pytest.raises(ConversationGone):
            way(by=ada, run=run)
        assert CouncilRun.objects.count() == 1

    def test_a_council_that_was_switched_off_is_not_asked(self, ada: User, run: CouncilRun, way: Way) -> None:
        assert run.council is not None
        run.council.is_active = False
        run.council.save()

        assert not choices_for(run)
        with pytest.raises(CouncilUnavailable, match="It is switched off"):
            way(by=ada, run=run)

    def test_a_council_that_is_gone_is_not_asked(self, ada: User, run: CouncilRun, way: Way) -> None:
        assert run.council is not None
        run.council.delete()
        run.refresh_from_db()

        assert not choices_for(run)
        with pytest.raises(CouncilUnavailable, match="It is gone"):
            way(by=ada, run=run)

    def test_only_from_the_start_where_another_version_recorded_the_run(self, ada: User, run: CouncilRun, way: Way) -> None:
        run.config_snapshot = {"format": 99}
        run.save()

        choices = choices_for(run)

        assert (choices.retry, choices.regenerate, choices.again) == (None, None, True)
        if way is ask_again:
            assert way(by=ada, run=run)[1]
        else:
            with pytest.raises(NotRepeatable):
                way(by=ada, run=run)

    def test_a_blind_question_stays_blind(self, ada: User, run: CouncilRun, way: Way) -> None:
        CouncilRun.objects.filter(pk=run.pk).update(blind=True)
        run.refresh_from_db()

        assert way(by=ada, run=run)[0].blind

    def test_answers_whose_authors_are_known_are_not_hidden_again(self, ada: User, run: CouncilRun, way: Way) -> None:
        CouncilRun.objects.filter(pk=run.pk).update(blind=True)
        AnswerPick.objects.create(run=run, by=ada, outcome="skipped")
        run.refresh_from_db()

        # Asked from the start all answers are new.
        assert way(by=ada, run=run)[0].blind is (way is ask_again)
