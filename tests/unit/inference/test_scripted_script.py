"""The rules of a script: how they are read, which one is for a request, what is put into their answers."""

import re
from pathlib import Path

import pytest

from services.inference.scripted.request import Asked, numbered_passages, read_request, summary_of, topics_of
from services.inference.scripted.script import Rule, ScriptError, fill, parse_script
from shared.contract.requests import Generate, Message, Passage

ASKED = Asked(role="MIND", phase="plan", schema="Plan", text="<user>\nHow?\n</user>", question="How?")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("[[rule]]\nanswer = = 1", "this is no TOML: .*line 2"),
        ("", r"no \[\[rule\]\]"),
        ("rule = 3", r"no \[\[rule\]\]"),
        ("[[rule]]\nanwser = 'a'", "rule 1: .*unknown field `anwser`; a rule has role, phase"),
        ("modles = ['a']\n[[rule]]\nanswer = 'a'", "unknown field `modles`.*models"),
        ("[[rule]]\nanswer = 'a'\n[[rule]]\nrole = 'TONGUE'", "rule 2: .*`role`; it may be REFLEX, NERVES"),
        ("[[rule]]\nfail = 'badly'", "rule 1: .*`fail`; it may be refused, transient"),
        ("[[rule]]\nanswer = ['a', 3]", r"rule 1: .*`answer\[1\]`"),
        ("[[rule]]\nanswer = 'a'\ntimes = 0", "rule 1: .*`times`"),
        ("[[rule]]\nanswer = 'a'\nwords_per_second = 0", "rule 1: .*`words_per_second`"),
        ("[[rule]]\nanswer = 'a'\ntext = '('", "rule 1: .*regular expression in `text`"),
        ("[[rule]]\nrole = 'MIND'", "rule 1: says nothing"),
        ("[[rule]]\nfail = 'cut'", "rule 1: says nothing"),
        ("[[rule]]\nanswer = 'a'\njson = {}", "rule 1: has both"),
        ("[[rule]]\nanswer = []", "rule 1: has an empty list"),
        ("[[rule]]\nanswer = 'to {quesiton}'", r"rule 1: answers with \{quesiton\}.*known here: extract"),
        ("[[rule]]\njson = { a = ['{b}'] }", r"rule 1: answers with \{b\}"),
        ("models = []\n[[rule]]\nanswer = 'a'", "`models`"),
    ],
)
def test_a_script_with_a_fault_is_refused_with_its_place(script: str, said: str) -> None:
    with pytest.raises(ScriptError, match=said):
        parse_script(script)


def test_the_script_of_the_documentation_is_one() -> None:
    page = (Path(__file__).parents[3] / "docs" / "inference.md").read_text()
    [script] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)

    asks_back, answers, *_ = parse_script(script).rule

    said = Asked(role="REFLEX", phase="gate", schema="Gate", text="And she?", question="And she?")
    assert asks_back.match(said) == {"who": "she"}
    assert answers.said(0) == "A first answer."


@pytest.mark.parametrize(
    ("rule", "is_for_it"),
    [
        (Rule(answer="a"), True),
        (Rule(answer="a", role="MIND", phase="plan", schema="Plan"), True),
        (Rule(answer="a", role="VOICE"), False),
        (Rule(answer="a", phase="gate"), False),
        (Rule(answer="a", schema=""), False),
        (Rule(answer="a", question=r"^How\?$"), True),
        (Rule(answer="a", text=r"^How\?$"), False),
        (Rule(answer="a", question="How", text="user"), True),
    ],
)
def test_a_rule_is_for_what_meets_all_its_conditions(rule: Rule, is_for_it: bool) -> None:
    assert (rule.match(ASKED) is not None) == is_for_it


def test_named_groups_fill_the_answer() -> None:
    rule = Rule(answer="{how} {what}", question=r"(?P<how>\w+)(?P<what> much)?")

    assert rule.match(ASKED) == {"how": "How", "what": ""}


def test_braces_that_are_no_placeholder_stay() -> None:
    assert fill('{"a": {question}} {}', {"question": "1"}) == '{"a": 1} {}'


def test_tables_are_filled_through_and_through_and_a_list_takes_the_place_of_its_name() -> None:
    template = {"a": [{"b": "is {question}"}], "topics": "{topics}", "both": "{topics}!", "n": 1}

    filled = fill(template, {"question": "it", "topics": ["bees", "honey"]})

    assert filled == {"a": [{"b": "is it"}], "topics": ["bees", "honey"], "both": "bees, honey!", "n": 1}


def test_what_is_filled_in_is_not_read_again() -> None:
    assert fill("{question}", {"question": "{model}", "model": "m"}) == "{model}"


def test_the_bare_words_are_the_question_or_what_the_prompt_quotes_of_the_user() -> None:
    prompt = Message("user", "<memory>\n[turn 1]\nUser: A.\n</memory>\n\n<user>\nWho?\n</user>")

    assert read_request(Generate(request_id="r", messages=[prompt])).question == "Who?"
    assert read_request(Generate(request_id="r", messages=[prompt], question="Why?")).question == "Why?"
    assert read_request(Generate(request_id="r", messages=[Message("user", "Bare?")])).question == "Bare?"
    assert read_request(Generate(request_id="r", messages=[])).question == ""


def test_a_summary_is_the_first_sentences_of_what_is_quoted() -> None:
    notes = "\n\n".join(f"[turn {number}]\nUser: Bees fly. {'word ' * 20}end." for number in range(1, 12))

    summary = summary_of(f"<memory>\n{notes}\n</memory>\n\n<user>\nWho flies?\n</user>")

    assert summary.startswith("[turn 1] User: Bees fly.")
    assert "Who flies?" not in summary
    assert 90 < len(summary.split()) <= 120
    assert summary_of("One. Two.") == "One. Two."


def test_topics_are_words_with_a_meaning() -> None:
    assert topics_of("Where does my sister Mira live, and with whom does Mira live?") == [
        "sister",
        "Mira",
        "live",
    ]


def test_passages_are_numbered_and_short() -> None:
    passage = Passage(turn_number=3, score=1.0, similarity=1.0, input="bee " * 80)
    request = Generate(request_id="r", messages=[], passages=[passage, passage])

    first, second = numbered_passages(request).splitlines()

    assert first.startswith("1. [turn 3] bee bee")
    assert first.endswith("bee…")
    assert second.startswith("2. [turn 3]")
