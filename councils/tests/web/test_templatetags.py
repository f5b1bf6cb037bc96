import pytest

from councils.templatetags import council as tags
from councils.web.members import OPINION_STATES, REVIEW_STATES, RUN_STATES, State


def test_a_tenth_member_takes_the_first_colour_again() -> None:
    assert [tags.hue(place) for place in (1, 9, 10)] == [1, 9, 1]


@pytest.mark.parametrize("state", [*RUN_STATES.values(), *OPINION_STATES.values(), *REVIEW_STATES.values()], ids=lambda state: state.name)
def test_every_state_has_a_word_and_a_shape(state: State) -> None:
    assert str(state.word)
    assert "<svg" in tags.icon(state.icon)
