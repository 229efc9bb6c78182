"""A fact in a language with and without spaces: alone, and behind a long text about other things."""

import pytest

from tests.flow.memory.test_imports import Line, find, ndjson, new_user, send
from tests.stack import Stack

CHINESE_DAY = "今天天气很好我们去公园散步然后吃了午饭下午看了一本关于历史的书晚上和朋友聊天很开心"
ENGLISH_DAY = (
    "the weather was fine today and we walked in the park then had lunch and read a book about history and "
    "talked with friends"
)
CHINESE_FACT = "我的猫的名字叫小福。"
CHINESE_QUESTION = "我的猫叫什么名字"


def diary(text: str, others: list[str]) -> list[Line]:
    """The text, and each of the others in a session of its own."""
    texts = [text, *others]
    return [
        {"session_id": f"d{number}", "message_id": f"m{number}", "speaker": "user", "text": one}
        | {"at": "2025-05-01" if number == 0 else "2025-05-02"}
        for number, one in enumerate(texts)
    ]


CHINESE_OTHERS = [f"第{number}天{CHINESE_DAY[:32]}" for number in range(12)]
ENGLISH_OTHERS = [f"day {number} {ENGLISH_DAY}" for number in range(12)]


@pytest.mark.parametrize(
    ("text", "others", "question", "first"),
    [
        pytest.param(CHINESE_FACT, CHINESE_OTHERS, CHINESE_QUESTION, 1, id="chinese_short"),
        pytest.param(
            f"{CHINESE_DAY}\uff0c" * 20 + CHINESE_FACT, CHINESE_OTHERS, CHINESE_QUESTION, 3, id="chinese_long"
        ),
        pytest.param(
            f"{ENGLISH_DAY}, " * 20 + "my cat is called Biscuit.",
            ENGLISH_OTHERS,
            "What is my cat called?",
            3,
            id="english_long",
        ),
    ],
)
async def test_a_fact_is_found_alone_and_at_the_end_of_a_long_message(
    stack: Stack, text: str, others: list[str], question: str, first: int
) -> None:
    user = new_user()
    answer = await send(stack, ndjson(diary(text, others)), user)
    assert (answer["new"], answer["bad_lines"]) == (13, 0)

    hits = await find(stack, user, question)

    assert "m0" in [name for hit in hits for name in hit["message_ids"]][:first]
