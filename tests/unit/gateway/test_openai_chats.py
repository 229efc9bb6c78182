"""What a chat of OpenAI's clients is known by, and what is said of a turn that begins again."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.openai.answers import Spoken
from services.gateway.openai.chat_request import ChatRequest, hash_of_request, hashes_of
from services.gateway.openai.conversations import is_repeat
from services.gateway.openai.models import TurnRecipe, listed, model_of, recipe_of
from services.gateway.openai.ports import Chat
from shared.contract.errors import Refused
from shared.contract.events import AnyLiveEvent, OutputDelta, OutputRestarted
from shared.contract.requests import RecipesReply
from tests.unit.samples import AT

HELLO = {"role": "user", "content": "Hello  there"}
WORDS = st.lists(st.text(min_size=1, max_size=4), max_size=12)


def chat(*messages: dict[str, Any], **more: Any) -> ChatRequest:
    return msgspec.convert({"model": "pandora", "messages": list(messages)} | more, ChatRequest)


def deltas(words: list[str]) -> list[OutputDelta]:
    return [OutputDelta(index=index, text=word) for index, word in enumerate(words)]


@given(WORDS, WORDS)
def test_an_answer_that_begins_again_in_other_pieces_is_sent_once(
    before: list[str], after: list[str]
) -> None:
    whole = "".join(before + after)
    events: list[AnyLiveEvent] = [*deltas(before), OutputRestarted(index=0), *deltas(list(whole))]

    spoken = Spoken()

    assert "".join(map(spoken.news, events)) == whole


def test_an_answer_that_begins_again_as_another_one_is_refused() -> None:
    spoken = Spoken()
    spoken.news(OutputDelta(index=0, text="Good"))
    spoken.news(OutputRestarted(index=1))

    with pytest.raises(Refused, match="send the same request again"):
        spoken.news(OutputDelta(index=2, text="Bad"))


@pytest.mark.parametrize(
    "same",
    [
        [{"role": "user", "content": " Hello\nthere "}],
        [{"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "there"}]}],
        [{"role": "system", "content": "It is 10:05."}, HELLO],
    ],
)
def test_spaces_parts_and_the_setup_make_no_other_conversation(same: list[dict[str, Any]]) -> None:
    assert hashes_of(chat(*same).messages) == hashes_of(chat(HELLO).messages)


@pytest.mark.parametrize(
    "other",
    [
        [HELLO | {"content": "Hello There"}],
        [HELLO | {"role": "assistant"}],
        [{"role": "user", "content": "Hello"}, {"role": "user", "content": "there"}],
        [
            HELLO
            | {
                "content": [
                    {"type": "text", "text": "Hello there"},
                    {"type": "image_url", "image_url": {"url": "data:"}},
                ]
            }
        ],
        [HELLO | {"tool_calls": [{"id": "1"}]}],
    ],
)
def test_other_words_speakers_images_and_calls_do(other: list[dict[str, Any]]) -> None:
    assert hashes_of(chat(*other).messages)[-1] != hashes_of(chat(HELLO).messages)[-1]


def test_each_beginning_has_the_hash_of_its_own_messages_and_of_the_named_session() -> None:
    messages = chat(HELLO, {"role": "assistant", "content": "Hi"}, HELLO).messages

    assert hashes_of(messages) == [hashes_of(messages[:end])[-1] for end in (1, 2, 3)]
    assert not set(hashes_of(messages)) & set(hashes_of(messages, "kitchen"))


@pytest.mark.parametrize(
    ("settled", "minutes", "again", "other_body", "expected"),
    [
        (False, 9, False, False, True),
        (False, 11, False, False, False),
        (True, 1, False, False, False),
        (True, 11, True, False, True),
        (False, 1, True, True, False),
    ],
)
def test_a_request_is_a_repetition_while_its_answer_was_not_sent_or_where_the_client_says_so(
    settled: bool, minutes: int, again: bool, other_body: bool, expected: bool
) -> None:
    asked = hash_of_request(chat(HELLO, temperature=1.0 if other_body else None))
    known = Chat(
        user="alice",
        session_id="kitchen",
        key="one",
        request_hash=hash_of_request(chat(HELLO)),
        requested_at=AT,
        is_settled=settled,
    )

    assert is_repeat(known, asked, AT + timedelta(minutes=minutes), again=again) is expected


@given(st.lists(st.sampled_from(["standard", "direct", "my-own", "pandora"]), unique=True))
def test_each_recipe_is_found_by_its_model(recipes: list[str]) -> None:
    there = RecipesReply(names=recipes, unapproved=recipes[:1])
    found = [recipe_of(model_of(recipe), there) for recipe in recipes]
    assert found == [TurnRecipe(recipe, recipe in recipes[:1]) for recipe in recipes]
    assert [model.id for model in listed(recipes, "vllm", ["m", "m"])] == [*map(model_of, recipes), "m"]
