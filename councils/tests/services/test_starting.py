"""What a run takes with it when it starts: addresses and keys that belong together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.db.models.signals import pre_save

from councils.models import Conversation, CouncilConfiguration, CouncilRun, PromptTemplate, Provider, ProviderEndpoint, User
from councils.models.crypto import seal, unseal
from councils.services.asking import Manner, ask_council
from councils.services.errors import IdempotencyConflict
from councils.services.repeating import ask_again, regenerate_answer
from councils.snapshot import Snapshot
from councils.tests.factories import make_council, make_run, make_user

pytestmark = pytest.mark.django_db
OLD, NEW = "http://127.0.0.1:9/v1", "http://127.0.0.1:10/v1"


@pytest.fixture
def ada() -> User:
    return make_user("ada")


@pytest.fixture
def council() -> CouncilConfiguration:
    made = make_council(seats=3)
    Provider.objects.update(base_url=OLD, api_key_sealed=seal("old"))
    return made


def addresses(run: CouncilRun) -> set[tuple[str, ...]]:
    models = Snapshot.from_json(run.config_snapshot).models.values()
    return {tuple(endpoint.base_url for endpoint in model.endpoints) for model in models}


def keys(run: CouncilRun) -> set[str]:
    return {unseal(sealed) for sealed in run.sealed_keys.values()}


@contextmanager
def moving_while_a_run_is_stored() -> Iterator[None]:
    """Staff enter a new address with its key, and close the further one, when the council has been read already."""

    def move(**_: Any) -> None:
        Provider.objects.update(base_url=NEW, api_key_sealed=seal("new"), api_key_env="NEW_KEY")
        ProviderEndpoint.objects.update(is_active=False)

    pre_save.connect(move, sender=Conversation)
    try:
        yield
    finally:
        pre_save.disconnect(move, sender=Conversation)


@pytest.mark.parametrize("way", ["ask", "regenerate", "again"])
def test_a_key_goes_to_the_address_that_it_was_entered_with(ada: User, council: CouncilConfiguration, way: str) -> None:
    ProviderEndpoint.objects.create(provider=Provider.objects.get(), base_url="http://127.0.0.1:11/v1")
    earlier = make_run(owner=ada, council=council)
    ways: dict[str, Callable[[], tuple[CouncilRun, bool]]] = {
        "ask": partial(ask_council, by=ada, council=council, question="Which is best?"),
        "regenerate": partial(regenerate_answer, by=ada, run=earlier),
        "again": partial(ask_again, by=ada, run=earlier),
    }

    with moving_while_a_run_is_stored():
        run, _ = ways[way]()

    assert (addresses(run), keys(run)) == ({(NEW,)}, {"new"})
    assert {model.api_key_env for model in Snapshot.from_json(run.config_snapshot).models.values()} == {"NEW_KEY"}


def test_a_run_takes_every_open_address_of_its_provider_once_in_order(ada: User, council: CouncilConfiguration) -> None:
    provider = Provider.objects.get()
    for url, is_active in ((NEW, True), ("http://127.0.0.1:12/v1", False), (OLD, True), ("http://127.0.0.1:11/v1", True)):
        ProviderEndpoint.objects.create(provider=provider, base_url=url, is_active=is_active)

    run, _ = ask_council(by=ada, council=council, question="Which is best?")

    assert (addresses(run), keys(run)) == ({(OLD, NEW, "http://127.0.0.1:11/v1")}, {"old"})


def test_a_provider_without_a_stored_key_brings_none(ada: User, council: CouncilConfiguration) -> None:
    Provider.objects.update(api_key_sealed="")

    run, _ = ask_council(by=ada, council=council, question="Which is best?")

    assert (addresses(run), run.sealed_keys) == ({(OLD,)}, {})


def test_a_run_names_the_stored_prompts_that_it_asks_with(ada: User) -> None:
    prompt = PromptTemplate.objects.add_version(stage="opinions", name="brief", text="Be brief. {question}")
    run, _ = ask_council(by=ada, council=make_council(stage1_prompt_template=prompt), question="Which is best?")
    plain, _ = ask_council(by=ada, council=make_council(), question="Which is best?")

    assert list(run.prompts.all()) == [prompt]
    assert Snapshot.from_json(run.config_snapshot).prompt_ids == (prompt.pk,)
    assert not plain.prompts.exists()


@pytest.mark.parametrize("changed", [{"blind": True}, {"fresh": True}])
def test_a_key_stands_for_one_manner_of_asking(ada: User, council: CouncilConfiguration, changed: dict[str, bool]) -> None:
    ask = partial(ask_council, by=ada, council=council, question="Which is best?", idempotency_key="once")
    run, _ = ask()

    with pytest.raises(IdempotencyConflict):
        ask(manner=Manner(**changed))
    assert ask() == (run, False)


def test_one_answer_alone_is_never_blind_and_so_the_same_request(ada: User, council: CouncilConfiguration) -> None:
    ask = partial(ask_council, by=ada, council=council, question="Which?", member="agent_1", idempotency_key="once")
    run, _ = ask()

    assert ask(manner=Manner(blind=True)) == (run, False)
