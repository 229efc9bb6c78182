"""How long texts are cut, and that the model reads each part to its end."""

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from services.indexer.embedding.packaged import packaged_folder
from services.indexer.passages.parts import parts_of

CHINESE = "\u4eca\u5929\u5929\u6c14\u5f88\u597d\u6211\u4eec\u53bb\u516c\u56ed\u6563\u6b65"
TEXTS = {
    "chinese": CHINESE * 80,
    "chinese sentences": f"{CHINESE}\u3002" * 80,
    "thai": "\u0e41\u0e21\u0e27\u0e02\u0e2d\u0e07\u0e09\u0e31\u0e19\u0e0a\u0e37\u0e48\u0e2d" * 80,
    "korean": "\ub0b4 \uace0\uc591\uc774 \uc774\ub984\uc740 \ubbf8\ubbf8\uc785\ub2c8\ub2e4 " * 60,
    "russian": "\u0421\u0435\u0433\u043e\u0434\u043d\u044f \u043c\u044b \u0433\u0443\u043b\u044f\u043b\u0438 "
    * 99,
    "arabic": "\u0630\u0647\u0628\u0646\u0627 \u0627\u0644\u064a\u0648\u0645 \u0625\u0644\u0649 " * 99,
    "hindi": "\u092e\u0947\u0930\u0940 \u092c\u093f\u0932\u094d\u0932\u0940 \u0915\u093e \u0928\u093e\u092e "
    * 99,
    "an address": "https://example.org/" + "a9Zk3/Qx" * 200,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_model_reads_every_part_to_its_end(text: str) -> None:
    tokenizer = Tokenizer.from_file(str(packaged_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()

    parts = list(parts_of(text))

    assert len(parts) > 1
    assert max(len(tokenizer.encode(part).ids) for part in parts) <= 256


def test_a_part_ends_behind_a_sentence_where_there_is_one() -> None:
    assert all(part.endswith("\u3002") for part in parts_of(TEXTS["chinese sentences"]))


@given(st.text(alphabet="\u0e01\u0e34\u0e48\u0627\u064e\u4eca\u3002a\u0301", min_size=300, max_size=900))
def test_nothing_is_lost_and_no_letter_is_cut(text: str) -> None:
    letters = regex.findall(r"\X", "".join(text.split()))
    place = 0
    for part in parts_of(text):
        own = regex.findall(r"\X", "".join(part.split()))
        begin = next((i for i in range(place, -1, -1) if letters[i : i + len(own)] == own), None)
        assert begin is not None
        place = begin + len(own)
    assert place == len(letters)
