"""Messages in twelve languages are found by questions in the same language, by the packaged model."""

from pathlib import Path

from bench.retrieval.languages import Asked, ask_all, languages_table

LEAST_AMONG_THREE = 0.9


async def test_the_right_message_is_among_the_first_three_in_nearly_every_question(tmp_path: Path) -> None:
    asked = await ask_all(tmp_path)

    among_three = [one.recall(3) for one in asked]
    assert len(asked) == 48
    assert sum(among_three) / len(asked) >= LEAST_AMONG_THREE, languages_table(asked)


def test_the_table_has_a_row_a_language_and_one_of_all() -> None:
    asked = [Asked("Greek", "a?", "m1", ["m1"]), Asked("Thai", "b?", "m2", ["m3", "m2"])]

    _, _, *rows = languages_table(asked).splitlines()

    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert cells == [
        ["Greek", "1.00", "1.00", "1.00", "1.00"],
        ["Thai", "0.00", "1.00", "1.00", "0.50"],
        ["all", "0.50", "1.00", "1.00", "0.75"],
    ]
