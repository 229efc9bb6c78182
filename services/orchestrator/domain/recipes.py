"""Recipes and roles: which phases a turn runs, within which bounds, and as whom a model is asked in them."""

from typing import Annotated, Literal, get_args

import msgspec

from shared.replies import RoleName

NumberedPhase = Literal["analysis", "gate", "gather", "plan", "coordinate", "synthesis", "validation", "save"]
PhaseName = Literal["look"] | NumberedPhase
PHASES: tuple[NumberedPhase, ...] = get_args(NumberedPhase)
"""In the order of their numbers, 0 to 7: what a recipe may name."""
ORDER: tuple[PhaseName, ...] = ("look", *PHASES)
"""Before all others, where a turn has images, EYES looks at them."""
ROLES: tuple[RoleName, ...] = get_args(RoleName)
_Count = Annotated[int, msgspec.Meta(ge=0, le=100)]
_Tokens = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
_Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class Role(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a model is asked. None: as the engine is set up."""

    temperature: _Temperature | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    model: str | None = None
    engine: str = ""
    """INFERENCE_NAME of the workers that play it; empty: those without a name."""
    thinking: bool | None = None


class Roles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As seed 003 has them: the smaller the task, the cooler the model."""

    REFLEX: Role = Role(temperature=0.4, max_tokens=400, thinking=False)
    """Classifies and gates."""
    NERVES: Role = Role(temperature=0.3, max_tokens=600, thinking=False)
    """Compresses."""
    MIND: Role = Role(temperature=0.6, max_tokens=1200)
    """Plans, judges."""
    VOICE: Role = Role(temperature=0.7)
    """Answers the user."""
    EYES: Role = Role(temperature=0.3, max_tokens=600)
    """Looks at images."""

    def of(self, name: RoleName) -> Role:
        role: Role = getattr(self, name)
        return role


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of what is put before the model. None: as the settings say."""

    context_tokens: _Tokens | None = None
    context_passages: _Count | None = None
    history_turns: _Count | None = None


class Bounds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    rounds: Annotated[int, msgspec.Meta(ge=1, le=20)] = 3
    """Of planning and calling tools."""
    calls: Annotated[int, msgspec.Meta(ge=1, le=100)] = 8
    """Of tools, in all rounds."""
    revisions: Annotated[int, msgspec.Meta(ge=0, le=10)] = 1
    """Answers after the first one that validation may ask for."""
    seconds: dict[PhaseName, _Seconds] = {}
    """Longest time of a phase, where it is another one than the settings'."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is in one file of `recipes/`; its name is the file's."""

    description: str = ""
    phases: Annotated[list[NumberedPhase], msgspec.Meta(min_length=1)]
    tools: list[str] = []
    """Names, or beginnings such as `memory.*`; none where it is empty."""
    hold_back: bool = False
    """Nobody reads the answer before validation has approved it."""
    compress: bool = False
    """What memory holds beyond the budget is put into a few words by NERVES."""
    budget: Budget = Budget()
    bounds: Bounds = Bounds()
    roles: dict[RoleName, Role] = {}
    """Roles that are played otherwise than `roles.toml` says."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe as a turn began with it, to which it keeps however the files change."""

    name: str
    version: str
    """The beginning of a hash of what was in the files."""
    recipe: Recipe
    roles: Roles = Roles()

    def role(self, name: RoleName) -> Role:
        return self.recipe.roles.get(name, self.roles.of(name))


def wrong_with(recipe: Recipe) -> tuple[str, str] | None:
    """(field, what is wrong), where its fields are fine one by one and do not fit together."""
    phases = recipe.phases
    if phases != sorted(set(phases), key=PHASES.index):
        return "phases", f"each may come once, in this order: {', '.join(PHASES)}"
    for needed in ("synthesis", "save"):
        if needed not in phases:
            return "phases", f"{needed} is missing; no turn ends well without it"
    if ("plan" in phases) != ("coordinate" in phases):
        return "phases", "plan and coordinate go together; name both, or none"
    if recipe.hold_back and "validation" not in phases:
        return "hold_back", "an answer is held back until validation approves it; add validation to phases"
    if recipe.tools and "plan" not in phases:
        return "tools", "tools are called by plan and coordinate; add both to phases"
    return None
