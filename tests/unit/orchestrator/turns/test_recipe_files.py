"""Recipes and roles as people write them, and what they are told about a wrong one."""

from pathlib import Path

import pytest

from services.orchestrator.recipes.toml import RecipeFiles
from shared.process.environment import SettingsError
from tests.stack import ROOT

PLAIN = 'phases = ["gather", "synthesis", "save"]\n'


def files(tmp_path: Path, text: str = PLAIN, roles: str = "", name: str = "own") -> RecipeFiles:
    folder = tmp_path / "recipes"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.toml").write_text(text)
    (tmp_path / "roles.toml").write_text(roles)
    return RecipeFiles(folder, tmp_path / "roles.toml", name)


def test_those_that_come_with_pandora_can_be_read() -> None:
    shipped = RecipeFiles(ROOT / "recipes", ROOT / "roles.toml", "direct")

    standard, default = shipped.choose("standard"), shipped.choose("")

    assert shipped.names() == ["direct", "standard"]
    assert standard is not None
    assert len(standard.recipe.phases) == 8
    assert standard.role("REFLEX").temperature == 0.4
    assert default is not None
    assert default.name == "direct"
    assert shipped.choose("nobody") is None


def test_a_recipe_may_play_a_role_otherwise(tmp_path: Path) -> None:
    own = files(tmp_path, PLAIN + "[roles.VOICE]\ntemperature = 0.1\n", '[MIND]\nengine = "large"\n').choose(
        "own"
    )

    assert own is not None
    assert own.role("VOICE").temperature == 0.1
    assert own.role("MIND").engine == "large"


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ('phases = ["gather"]\nx = = 1\n', "line 2", "own.toml"),
        ('description = "x"\nphases = ["gather", "dream"]\n', "line 2", "phases[1]"),
        ('phases = ["gather", "dream"]\n', "line 1", "'dream'; there are: analysis, gate"),
        (PLAIN + "[bounds]\nseconds.dream = 3\n", "line 3", "'dream'; there are: look, analysis"),
        (PLAIN + "[roles.BOSS]\ntemperature = 1\n", "line 2", "'BOSS'; there are: REFLEX"),
        (PLAIN + "\n[bounds]\n# so many\nrounds = 0\n", "line 5", "bounds.rounds"),
        (PLAIN + "\n[bounds]\nbudget = 3\n", "line 4", "unknown field `budget`"),
        (PLAIN + "bounds.calls = 'x'\n", "line 2", "bounds.calls"),
        (PLAIN + "[roles.VOICE]\ntemperature = 9\n", "line 3", "roles[...].temperature"),
        ('phases = ["save", "synthesis"]\n', "line 1", "in this order"),
        ('phases = ["gather", "synthesis"]\n', "line 1", "save is missing"),
        ('phases = ["plan", "synthesis", "save"]\n', "line 1", "plan and coordinate go together"),
        (PLAIN + "\nhold_back = true\n", "line 3", "add validation to phases"),
        (PLAIN + '\n\ntools = ["*"]\n', "line 4", "add both to phases"),
        ("", "line 1", "phases"),
    ],
)
def test_a_wrong_recipe_is_told_with_its_line(tmp_path: Path, text: str, line: str, told: str) -> None:
    with pytest.raises(SettingsError) as error:
        files(tmp_path, text)

    assert line in str(error.value)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("roles", "told"),
    [("[BOSS]\n", "unknown field `BOSS`"), ("[MIND]\nmax_tokens = 0\n", "line 2: MIND.max_tokens")],
)
def test_a_wrong_role_is_told(tmp_path: Path, roles: str, told: str) -> None:
    with pytest.raises(SettingsError, match=r"roles\.toml, line") as error:
        files(tmp_path, roles=roles)

    assert told in str(error.value)


def test_the_default_must_be_there(tmp_path: Path) -> None:
    files(tmp_path)

    with pytest.raises(SettingsError, match=r"DEFAULT_RECIPE='standard' is no recipe.*there are: own"):
        RecipeFiles(tmp_path / "recipes", tmp_path / "roles.toml", "standard")


def test_changes_are_seen_and_mistakes_change_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = files(tmp_path)
    path = tmp_path / "recipes" / "own.toml"

    def names_after(text: str) -> list[str]:
        path.with_name("new.toml").write_text(text)
        own._looked_at -= 10
        return own.names()

    assert names_after(PLAIN) == ["new", "own"]
    assert names_after("phases = 3 # wrong") == ["new", "own"]
    assert "the former recipes stay" in caplog.text


def test_a_tool_that_is_not_there_is_logged_and_may_come_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    phases = 'phases = ["plan", "coordinate", "synthesis", "save"]\n'
    (folder / "own.toml").write_text(f'{phases}tools = ["clock.*", "dairy.add"]\n')
    there = {"clock.*": ["clock.now"], "*": ["calculator", "clock.now"]}

    read = RecipeFiles(folder, ROOT / "roles.toml", "own", lambda patterns: there.get(patterns[0], []))

    assert read.names() == ["own"]
    assert caplog.messages == [
        "recipe own: no tool is called dairy.add now; there are: calculator, clock.now"
    ]
