"""Recipes and roles: the phases of a turn, their bounds, and how models are asked in them."""

from typing import Annotated, Literal, get_args

import msgspec

from shared.contract.requests import RoleName

NumberedPhase = Literal["analysis", "gate", "gather", "plan", "coordinate", "synthesis", "validation", "save"]
PhaseName = Literal["look"] | NumberedPhase
PHASES: tuple[NumberedPhase, ...] = get_args(NumberedPhase)
"""The phases that a recipe may name, in the order of their numbers, 0 to 7."""
ORDER: tuple[PhaseName, ...] = ("look", *PHASES)
"""`look` comes before all others, in turns that have images."""
ROLES: tuple[RoleName, ...] = get_args(RoleName)
_Count = Annotated[int, msgspec.Meta(ge=0, le=100)]
_Tokens = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
_Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class Role(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a model is asked. None: the engine decides."""

    temperature: _Temperature | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    model: str | None = None
    engine: str = ""
    """INFERENCE_NAME of the workers that answer in this role; empty: workers without a name."""
    thinking: bool | None = None


class Roles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The smaller the task, the lower the temperature."""

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
    """Limits of what is put before the model. None: the settings decide."""

    context_tokens: _Tokens | None = None
    context_passages: _Count | None = None
    history_turns: _Count | None = None


class Bounds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    rounds: Annotated[int, msgspec.Meta(ge=1, le=20)] = 3
    """Rounds of planning and calling tools."""
    calls: Annotated[int, msgspec.Meta(ge=1, le=100)] = 8
    """Calls of tools, in all rounds together."""
    revisions: Annotated[int, msgspec.Meta(ge=0, le=10)] = 1
    """Further answers that validation may ask for."""
    seconds: dict[PhaseName, _Seconds] = {}
    """Longest time of a phase, where it differs from the settings."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of one file of `recipes/`. The file's name is the recipe's name."""

    description: str = ""
    phases: Annotated[list[NumberedPhase], msgspec.Meta(min_length=1)]
    tools: list[str] = []
    """Names of tools, or patterns such as `memory.*`. Empty: no tools."""
    client_tools: bool = False
    """The model may also call the tools that the turn's client offers and runs itself."""
    hold_back: bool = False
    """The answer is only sent to readers after validation has approved it."""
    compress: bool = False
    """NERVES summarises passages of memory that exceed the budget."""
    budget: Budget = Budget()
    bounds: Bounds = Bounds()
    roles: dict[RoleName, Role] = {}
    """Roles that differ from `roles.toml`."""

    @property
    def shows_unapproved(self) -> bool:
        return "validation" in self.phases and not self.hold_back


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The recipe that a turn began with. The turn keeps it, also where the files change."""

    name: str
    version: str
    """The beginning of a hash of recipe and roles."""
    recipe: Recipe
    roles: Roles = Roles()

    def role(self, name: RoleName) -> Role:
        return self.recipe.roles.get(name, self.roles.of(name))


def wrong_with(recipe: Recipe) -> tuple[str, str] | None:
    """(field, what is wrong) where the fields do not fit together; None where they do."""
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
    for field in ("tools", "client_tools"):
        if getattr(recipe, field) and "plan" not in phases:
            return field, "tools are called by plan and coordinate; add both to phases"
    return None
