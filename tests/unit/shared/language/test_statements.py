"""What is read out of what people say of themselves, and all that must give nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.language.statements import read_statements, speaks_of_oneself

UNDERSTOOD = [
    ("I live in Lisbon.", "home", "Lisbon"),
    ("I live in Lisbon", "home", "Lisbon"),
    ("i live in Lisbon", "home", "Lisbon"),
    ("I currently live in New York City with my wife.", "home", "New York City"),
    ("I'm now living in Rio de Janeiro.", "home", "Rio de Janeiro"),
    ("I'm based in the Netherlands.", "home", "the Netherlands"),
    ("I moved to Porto", "home", "Porto"),
    ("I moved to St. Louis.", "home", "St. Louis"),
    ("- I live in Porto", "home", "Porto"),
    ("Wow!! I live in Porto.", "home", "Porto"),
    ("I moved to Porto last month because of work.", "home", "Porto"),
    ("I\u2019ve just moved to Porto!", "home", "Porto"),
    ("By the way, I recently moved to \u00c9vora.", "home", "\u00c9vora"),
    ("Hi! I live in Porto, Portugal.", "home", "Porto"),
    ("I am from Brazil.", "hometown", "Brazil"),
    ("I'm originally from Goa but my heart is elsewhere.", "hometown", "Goa"),
    ("I was born in Maputo.", "birthplace", "Maputo"),
    ("I work at Acme.", "employer", "Acme"),
    ("I work for the Red Cross.", "employer", "the Red Cross"),
    ("I've started working at Globex this week.", "employer", "Globex"),
    ("I work as a nurse.", "occupation", "nurse"),
    ("I'm a software engineer.", "occupation", "software engineer"),
    ("My name is Ana Sousa.", "name", "Ana Sousa"),
    ("My name's Ana.", "name", "Ana"),
    ("Please call me Annie.", "name", "Annie"),
    ("Please call me Ana Sousa.", "name", "Ana Sousa"),
    ("My sister is called Mira.", "sister", "Mira"),
    ("My wife's name is Eva.", "wife", "Eva"),
    ("I have a dog called Rex.", "dog", "Rex"),
    ("I have a small cat named Miss Marple.", "cat", "Miss Marple"),
    ("My birthday is on 3 May.", "birthday", "3 May"),
    ("My birthday is May 3rd, 1990.", "birthday", "May 3rd, 1990"),
    ("I was born on the 3rd of May 1990.", "birthday", "the 3rd of May 1990"),
    ("I am allergic to peanuts.", "allergy", "peanuts"),
    ("I'm allergic to kiwis, so please leave them out.", "allergy", "kiwis"),
    ("I'm allergic to kiwis, so be careful and cook something else.", "allergy", "kiwis"),
    ("I have a severe penicillin allergy.", "allergy", "penicillin"),
    ("I'm vegetarian.", "diet", "vegetarian"),
    ("I'm a vegan, by the way.", "diet", "vegan"),
    ("I am lactose intolerant.", "intolerance", "lactose"),
    ("My mother tongue is Portuguese.", "native language", "Portuguese"),
    ("My favourite colour is green.", "favourite colour", "green"),
    ("My favorite ice cream is stracciatella!", "favourite ice cream", "stracciatella"),
    ("I love hiking.", "likes", "hiking"),
    ("I really like strong coffee very much.", "likes", "strong coffee"),
    ("I prefer tea to coffee.", "prefers", "tea to coffee"),
    ("I hate cilantro.", "dislikes", "cilantro"),
    ("I don't like early meetings.", "dislikes", "early meetings"),
    ("I live in St. Louis.", "home", "St. Louis"),
    ("I live in Ft. Worth.", "home", "Ft. Worth"),
    ("I live in the U.S. now.", "home", "the U.S."),
    ("I work at St. Mary's Hospital.", "employer", "St. Mary's Hospital"),
    ("I work for Acme Inc.", "employer", "Acme Inc."),
    ("My name is Dr. Anna Weber.", "name", "Dr. Anna Weber"),
    ("My name is J. R. Smith.", "name", "J. R. Smith"),
    ("I moved to Łódź.", "home", "Łódź"),
    ("I live in Évora.", "home", "Évora"),
    ("I moved to Москва.", "home", "Москва"),
    ("I live in Θεσσαλονίκη!", "home", "Θεσσαλονίκη"),
    ("I live in 東京。", "home", "東京"),
    ("My name is दीपिका.", "name", "दीपिका"),
    ("My wife is vegetarian. I am vegetarian too.", "diet", "vegetarian"),
    ("I moved back to Porto in March.", "home", "Porto"),
    ("I can't stand liquorice.", "dislikes", "liquorice"),
]
NOTHING = [
    "Do I live in Lisbon?",
    "Where do I live?",
    "I live in Lisbon, right?",
    "I live in fear.",
    "I live in the moment.",
    "I live in Lisbon or Porto.",
    "I live in Lisbon until June.",
    "I lived in Lisbon.",
    "I moved to Lisbon in 2015.",
    "I moved to Lisbon ten years ago.",
    "I moved to the next topic.",
    "When I was young I lived in Rome.",
    "I used to live in Rome.",
    "I would live in Rome.",
    "I'd live in Rome.",
    "I might move to Rome.",
    "I want to move to Rome.",
    "I don't live in Rome.",
    "I do not live in Rome.",
    "I no longer live in Rome.",
    "If I live in Rome, do I pay taxes there?",
    "Suppose I live in Rome.",
    "Imagine I live in Rome.",
    "I wish I lived in Rome.",
    "In my dream I live in Rome.",
    "I live in Rome in my novel.",
    "She said I live in Rome.",
    "\u201cI live in Rome,\u201d she said.",
    '"I live in Rome," says the hero.',
    "> I live in Rome.",
    'He told me: "Hello. I live in Rome." Then he left.',
    "My sister lives in Rome.",
    "You live in Rome.",
    "Translate: I live in Rome.",
    "Translate this to French.\nI live in Rome.",
    "Write a story.\nI live in Rome.",
    "Proofread my text: My name is Ana.",
    "Is the sentence correct?\nI live in Rome. For example, I work at Acme.",
    "I work at home.",
    "I work at night.",
    "I work for myself.",
    "I work hard.",
    "I'm from the other team.",
    "I'm a mess.",
    "I'm a bit tired.",
    "I'm a big fan of yours.",
    "I'm fine.",
    "I'm not vegetarian.",
    "I'm allergic to it.",
    "I'm almost vegan.",
    "My sister is French.",
    "My boss is Portuguese.",
    "My car is broken.",
    "My dog is old.",
    "My birthday is next week.",
    "My favourite part is the ending.",
    "My favourite is it.",
    "I like it.",
    "I like that.",
    "I like your answer.",
    "I like the second one.",
    "I like option B.",
    "I like how you explain things.",
    "I love you.",
    "I love it when it rains.",
    "I'd like a coffee.",
    "I would like to know more.",
    "I like to think so.",
    "I hate this.",
    "I hate when that happens.",
    "I prefer the latter.",
    "I prefer this version.",
    "Call me Tomorrow.",
    "Call me later.",
    "Call me back!",
    "Remember me?",
    "Remember that time in Rome?",
    "Remember that time we met.",
    "Do you remember that I live in Rome?",
    "Remember that movie.",
    "Remember what I told you.",
    "I remember that I live in fear.",
    "Thanks, that helps.",
    "I moved to Lisbon last year but moved back to Porto in March.",
    "I moved to Lisbon last year, but I moved back in March.",
    "I moved to Lisbon last year. In March I returned to Porto.",
    "I moved to Berlin in January, to Hamburg in March.",
    "I moved to Berlin in January and to Hamburg in March.",
    "I live in Lisbon and Porto.",
    "I work at St.",
    "My name is Dr.",
    "The invoice is wrong. Please call me ASAP!",
    "Call me Monday evening.",
    "Call me Later!",
    "Call me At Five.",
    "I moved to Linux.",
    "I'm a careful driver.",
    "I work at Acme, began the minister.",
    "I work at Ford, my cousin boasts.",
    "The parrot always says hi and I hate cats.",
    "I work at Christmas.",
    "I was born in Spring.",
    "I'm from HR.",
    "I'm allergic to no food.",
    "I'm allergic to bullshit.",
    "I'm allergic to Mondays.",
    "Every time I travel I live in Airbnb flats.",
    "Every time I travel, I live in Rome.",
    "I like red for the button.",
    "I work as a rule at night.",
    "What is my name?",
    "",
    "\n\n",
    "I",
    "my",
]


@pytest.mark.parametrize(("said", "attribute", "value"), UNDERSTOOD, ids=lambda one: str(one)[:40])
def test_a_plain_statement_is_understood(said: str, attribute: str, value: str) -> None:
    (one,) = read_statements(said)

    assert (one.attribute, one.value) == (attribute, value)
    assert one.quote in said
    assert one.made_by == "reflector"
    assert 0 < one.confidence < 1


@pytest.mark.parametrize("said", NOTHING)
def test_what_is_no_statement_of_ones_own_life_gives_nothing(said: str) -> None:
    assert read_statements(said) == []


def test_several_things_in_one_breath_are_several_statements() -> None:
    said = "Hi there! I live in Porto and I work at Acme as a nurse, but I don't like Mondays. Is it so?"

    assert [(one.attribute, one.value) for one in read_statements(said)] == [
        ("home", "Porto"),
        ("employer", "Acme"),
        ("occupation", "nurse"),
        ("dislikes", "Mondays"),
    ]


def test_several_allergies_are_several_statements() -> None:
    found = read_statements("I am allergic to peanuts, shellfish and kiwi fruit.")

    assert [one.value for one in found] == ["peanuts", "shellfish", "kiwi fruit"]


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Remember that the plumber comes on Tuesday.", "The plumber comes on Tuesday."),
        ("Please remember: the alarm code is 4711", "The alarm code is 4711."),
        ("Don't forget that if it rains the cellar floods!", "If it rains the cellar floods!"),
        ("Keep in mind that Nadia never eats fish.", "Nadia never eats fish."),
    ],
)
def test_what_shall_be_remembered_is_a_note_of_the_users_own(said: str, text: str) -> None:
    (one,) = read_statements(f"Thanks. {said}")

    assert (one.kind, one.text, one.made_by, one.confidence) == ("note", text, "user", 1.0)
    assert one.quote == said


def test_a_fact_that_shall_be_remembered_is_a_fact_of_the_users_own() -> None:
    (one,) = read_statements("Remember that I live in Porto.")

    assert (one.kind, one.attribute, one.value, one.made_by) == ("fact", "home", "Porto", "user")
    assert one.text == "I live in Porto."


def test_a_question_of_others_is_not_worth_a_look() -> None:
    assert not speaks_of_oneself("What is the capital of Portugal?")
    assert speaks_of_oneself("In Lisbon I feel at home")


@given(st.text(alphabet=st.sampled_from("Il ivenRomay.,!?'\"\n> "), max_size=120))
def test_whatever_is_read_was_said_letter_by_letter(said: str) -> None:
    for one in read_statements(said):
        assert one.quote in said
        assert one.text
