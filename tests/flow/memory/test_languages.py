"""A fact at the end of a long message is found in any language, among a dozen messages like it."""

# ruff: noqa: RUF001  # letters of other scripts are meant

import json
from typing import Any

import pytest

from cli.client.gateway import Gateway, gateway_at, text_body
from tests.stack import KEYS, ROOT, Stack

CASES = ROOT.parent / "shared" / "cases" / "imports"
LONG = 700
"""Characters. The embedding model reads some 250 tokens, fewer than these are in most languages."""
LANGUAGES = {
    "Arabic": (
        "كان الطقس جميلا اليوم فذهبنا إلى الحديقة ثم تناولنا الغداء وقرأنا كتابا عن التاريخ",
        "اسم قطتي لوزة.",
        "ما اسم قطتي؟",
    ),
    "Chinese": (
        "周末我们先打扫了房间接着去超市买菜做饭晚上看了一部很长的电影然后早早睡觉",
        "我的狗叫豆豆。",
        "我的狗叫什么名字",
    ),
    "English": (
        "today the weather was fine, we walked in the park, had lunch and read a book about history",
        "my cat is called Biscuit.",
        "What is my cat called?",
    ),
    "German": (
        "heute war das Wetter schön, wir gingen im Park spazieren und lasen ein Buch über Geschichte",
        "meine Katze heißt Mieze.",
        "Wie heisst meine Katze?",
    ),
    "Greek": (
        "σήμερα ο καιρός ήταν καλός, περπατήσαμε στο πάρκο και διαβάσαμε ένα βιβλίο ιστορίας",
        "η γάτα μου λέγεται Φουντούκι.",
        "Πώς λέγεται η γάτα μου;",
    ),
    "Hebrew": (
        "היום היה מזג אוויר נעים וטיילנו בפארק ואחר כך אכלנו צהריים וקראנו ספר על היסטוריה",
        "לחתולה שלי קוראים שוקולד.",
        "איך קוראים לחתולה שלי?",
    ),
    "Hindi": (
        "आज मौसम बहुत अच्छा था हम पार्क में घूमने गए फिर दोपहर का खाना खाया और इतिहास की किताब पढ़ी",
        "मेरी बिल्ली का नाम मोती है।",
        "मेरी बिल्ली का नाम क्या है?",
    ),
    "Japanese": (
        "今日は天気がよかったので公園を散歩してから昼ご飯を食べ午後は歴史の本を読み夜は友達と話して楽しかった",
        "私の猫の名前はコハルです。",
        "私の猫の名前は何ですか",
    ),
    "Korean": (
        "오늘은 날씨가 좋아서 공원을 산책하고 오후에는 역사책을 읽고 저녁에는 친구들과 이야기했다",
        "우리 고양이 이름은 보리야.",
        "우리 고양이 이름이 뭐야?",
    ),
    "Russian": (
        "сегодня была хорошая погода, мы гуляли в парке, обедали и читали книгу об истории",
        "мою кошку зовут Ириска.",
        "Как зовут мою кошку?",
    ),
    "Thai": (
        "วันนี้อากาศดีมากเราไปเดินเล่นที่สวนสาธารณะแล้วอ่านหนังสือเกี่ยวกับประวัติศาสตร์",
        "แมวของฉันชื่อมะลิ",
        "แมวของฉันชื่ออะไร",
    ),
    "Turkish": (
        "bugün hava çok güzeldi, parkta yürüdük, öğle yemeği yedik ve akşam arkadaşlarla konuştuk",
        "kedimin adı Işıl.",
        "KEDİMİN ADI NE?",
    ),
}
"""What every day is like, a fact, and the question about it."""


def diary(language: str, filler: str, fact: str) -> list[dict[str, str]]:
    """A dozen days, and one whose last words are the fact."""
    days = [f"{day}. {filler}." for day in range(1, 13)]
    long = ", ".join([filler] * (LONG // len(filler) + 1)) + ", " + fact
    return [
        {"session_id": f"{language} {place}", "message_id": "m", "speaker": "user", "text": text}
        for place, text in enumerate([long, *days])
    ]


async def bring_in(gateway: Gateway, lines: list[dict[str, str]]) -> None:
    body = text_body("\n".join(map(json.dumps, lines)).encode(), "application/x-ndjson")
    answer = await gateway.call("POST", "/v1/imports", body=body)
    assert answer["bad_lines"] == 0, answer


async def place_of(gateway: Gateway, question: str, session_id: str) -> int:
    """From 1, among all that the user has in all languages."""
    body = text_body(json.dumps({"query": question, "limit": 20}).encode(), "application/json")
    hits: list[dict[str, Any]] = (await gateway.call("POST", "/v1/search", body=body))["hits"]
    found = [hit["session_id"] for hit in hits]
    return found.index(session_id) + 1 if session_id in found else len(found) + 1


async def test_a_fact_at_the_end_of_a_long_message_is_found_in_its_language(stack: Stack) -> None:
    async with gateway_at(stack.gateway_url, KEYS["carol"]) as gateway:
        for language, (filler, fact, _) in LANGUAGES.items():
            await bring_in(gateway, diary(language, filler, fact))

        places = {
            language: await place_of(gateway, question, f"{language} 0")
            for language, (_, _, question) in LANGUAGES.items()
        }

    assert {language: place for language, place in places.items() if place > 3} == {}


@pytest.mark.parametrize(
    ("file", "question", "most"),
    [
        ("chinese_long", "我的猫叫什么名字", 3),
        ("chinese_short", "我的猫叫什么名字", 1),
        ("english_long", "What is my cat called?", 3),
    ],
)
@pytest.mark.skipif(not CASES.exists(), reason="the cases from the wild are not here")
async def test_the_cases_from_the_wild_are_found(stack: Stack, file: str, question: str, most: int) -> None:
    lines = [json.loads(line) for line in (CASES / f"{file}.ndjson").read_text(encoding="utf-8").splitlines()]
    fact = f"{file} {lines[0]['session_id']}"
    async with gateway_at(stack.gateway_url, KEYS["bob"]) as gateway:
        await bring_in(gateway, [line | {"session_id": f"{file} {line['session_id']}"} for line in lines])

        assert await place_of(gateway, question, fact) <= most
