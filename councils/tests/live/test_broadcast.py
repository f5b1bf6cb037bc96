"""What leaves the engine for viewers: text in order with offsets that a browser understands, a few messages a second, events at once."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from councils.live import broadcast as broadcasting
from councils.live.broadcast import FLUSH_S, Broadcast, utf16_length
from councils.live.drafts import read_drafts
from councils.live.hub import Hub, Viewer, hub
from councils.live.messages import valid_run_id

RUN = "r" * 26
KEY = "opinion:agent_1"


@dataclass
class Ear:
    """A viewer of this process that remembers what it was told."""

    told: list[dict[str, Any]] = field(default_factory=list)

    def hear(self, text: str) -> None:
        self.told.append(orjson.loads(text))

    def texts(self, key: str = KEY) -> list[tuple[int, int, str]]:
        """(attempt, offset, text) of each piece of this step."""
        items = [item for message in self.told if message["type"] == "delta" for item in message["items"]]
        return [(attempt, offset, text) for of, attempt, offset, text in items if of == key]


@pytest.fixture
async def ear() -> Any:
    ear = Ear()
    viewer = Viewer(asyncio.get_running_loop(), ear.hear)
    hub.subscribe(RUN, viewer)
    yield ear
    hub.unsubscribe(RUN, viewer)


@pytest.fixture
def broadcast() -> Iterator[Broadcast]:
    broadcast = Broadcast(RUN)
    broadcast.begin(KEY, 1)
    yield broadcast
    broadcasting._here.pop(RUN, None)


async def settle() -> None:
    """Let what was sent arrive."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_the_first_text_of_a_seat_goes_out_at_once(broadcast: Broadcast, ear: Ear) -> None:
    broadcast.text(KEY, "The")
    await settle()

    assert ear.texts() == [(1, 0, "The")]


async def test_what_follows_is_gathered_into_one_message(broadcast: Broadcast, ear: Ear) -> None:
    for piece in ("The", " best", " is", " blue"):
        broadcast.text(KEY, piece)
    broadcast.flush()
    await settle()

    assert ear.texts() == [(1, 0, "The"), (1, 3, " best is blue")]


async def test_text_is_sent_by_itself_when_nothing_follows(broadcast: Broadcast, ear: Ear) -> None:
    broadcast.text(KEY, "The")
    broadcast.text(KEY, " best")
    await asyncio.sleep(20 * FLUSH_S)

    assert ear.texts()[1] == (1, 3, " best")


async def test_all_seats_share_one_message(broadcast: Broadcast, ear: Ear) -> None:
    broadcast.begin("opinion:agent_2", 1)
    for key in (KEY, "opinion:agent_2"):
        broadcast.text(key, "a")
        broadcast.text(key, "b")
    broadcast.flush()
    await settle()

    # The first text of the second seat takes along what the first one has written meanwhile.
    assert [[(item[0][-1], item[3]) for item in message["items"]] for message in ear.told] == [
        [("1", "a")],
        [("1", "b"), ("2", "a")],
        [("2", "b")],
    ]


async def test_offsets_count_as_a_browser_does(broadcast: Broadcast, ear: Ear) -> None:
    for piece in ("a😀", "é", "👩‍👩‍👧", "z"):
        broadcast.text(KEY, piece)
        broadcast.flush()
    await settle()

    assert [offset for _, offset, _ in ear.texts()] == [0, 3, 4, 4 + utf16_length("👩‍👩‍👧")]


async def test_a_new_attempt_begins_at_nothing(broadcast: Broadcast, ear: Ear) -> None:
    broadcast.text(KEY, "The beginning of a failure")
    broadcast.begin(KEY, 2)
    broadcast.text(KEY, "Again")
    await settle()

    assert ear.texts()[-1] == (2, 0, "Again")
    assert broadcast.draft(KEY) == "Again"


async def test_text_goes_out_before_the_event_that_follows_it(broadcast: Broadcast, ear: Ear) -> None:
    broadcast.text(KEY, "The")
    broadcast.text(KEY, " end")
    broadcast.events([{"seq": 7, "type": "opinion_completed"}])
    await settle()

    assert [message["type"] for message in ear.told] == ["delta", "delta", "event"]
    assert ear.told[-1] == {"type": "event", "run": RUN, "event": {"seq": 7, "type": "opinion_completed"}}


async def test_who_comes_late_finds_the_text_so_far(broadcast: Broadcast) -> None:
    broadcast.text(KEY, "The")
    broadcast.text(KEY, " best")
    broadcast.flush()

    assert read_drafts(RUN) == {KEY: {"attempt": 1, "text": "The best"}}


async def test_drafts_never_hold_more_than_was_sent(broadcast: Broadcast, ear: Ear) -> None:
    # A draft that is ahead of the messages would make a viewer drop what comes; one that is behind would leave a gap.
    broadcast.text(KEY, "The")
    broadcast.text(KEY, " best")
    await settle()

    assert read_drafts(RUN)[KEY]["text"] == "".join(text for _, _, text in ear.texts())


async def test_the_draft_of_a_finished_step_is_forgotten(broadcast: Broadcast) -> None:
    broadcast.text(KEY, "The")
    broadcast.end(KEY)

    assert read_drafts(RUN) == {}


async def test_a_run_in_other_hands_has_no_drafts_here(broadcast: Broadcast) -> None:
    broadcast.text(KEY, "The")
    broadcast.close()

    assert read_drafts(RUN) == {}


async def test_an_older_owner_in_this_process_does_not_close_the_newer(broadcast: Broadcast) -> None:
    newer = Broadcast(RUN)
    newer.begin(KEY, 2)
    newer.text(KEY, "New")
    broadcast.close()

    assert read_drafts(RUN) == {KEY: {"attempt": 2, "text": "New"}}


async def test_a_viewer_whose_loop_is_closed_is_forgotten() -> None:
    some_hub, gone = Hub(), asyncio.new_event_loop()
    gone.close()
    ear = Ear()
    some_hub.subscribe(RUN, Viewer(gone, ear.hear))
    some_hub.subscribe(RUN, Viewer(asyncio.get_running_loop(), ear.hear))

    some_hub.send(RUN, "{}")
    some_hub.send(RUN, "{}")
    await settle()

    assert ear.told == [{}, {}]


@pytest.mark.parametrize("bad", ["", "x", "a" * 25, "a" * 27, "a" * 25 + ".", "ä" * 26, "a" * 25 + "*", "a" * 25 + "\n"])
def test_only_what_can_be_a_run_reaches_layer_and_cache(bad: str) -> None:
    assert not valid_run_id(bad)
