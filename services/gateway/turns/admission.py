"""Whether a turn may be handed in. What could never be answered is refused before it is stored."""

from collections.abc import Awaitable, Callable
from time import monotonic

from services.gateway.asking.ports import Ask
from services.gateway.files.transfer import upload
from services.gateway.limits.places import Places
from services.gateway.turns.content import Images, InlineImage, file_id_of, text_of
from services.gateway.turns.refusals import SessionBusy, checked_size
from services.gateway.turns.views import NewTurn
from shared.contract.errors import Refused, Transient
from shared.contract.requests import FindRunning, GetFile, Models, Recipes

_KNOWN_SECONDS = 5.0
"""How long the lists of recipes and models are used before they are asked for again."""


class Admission:
    def __init__(self, ask: Ask, places: Places, *, input_limit_bytes: int) -> None:
        self._ask = ask
        self._places = places
        self._input_limit = input_limit_bytes
        self._names: dict[str, tuple[float, list[str]]] = {}

    async def check(self, new: NewTurn, images: Images, user: str, turn_id: str) -> None:
        """Raises Refused. The images come last, so that a refused turn leaves no files."""
        checked_size(text_of(new.input), self._input_limit, "input")
        recipes = await self._known(self._recipes)
        if new.recipe and new.recipe not in recipes:
            raise Refused(
                422, f"there is no recipe {new.recipe!r}; there are: {', '.join(recipes)}", "recipe"
            )
        if new.model is not None and new.model not in (models := await self._known(self._models)):
            raise Refused(422, f"there is no model {new.model!r}; there are: {', '.join(models)}", "model")
        if new.if_busy == "reject" and new.session_id is not None:
            running = await self.running_turn(user, new.session_id)
            if running is not None:
                raise SessionBusy(new.session_id, running)
        await self._places.take(user, turn_id)
        await self.bring_images(images, user, turn_id)

    async def bring_images(self, images: Images, user: str, turn_id: str) -> None:
        """Stores inline images as files, and checks that the named files exist. Raises Refused."""
        try:
            for file_id in images:
                if isinstance(file_id, str):
                    await self._ask(GetFile(user=user, file_id=file_id))
            for number, image in enumerate(images, 1):
                if isinstance(image, InlineImage):
                    await upload(self._ask, user, file_id_of(turn_id, number), image.name, image.data)
        except Refused as refusal:
            status = 422 if refusal.status == 404 else refusal.status
            raise Refused(status, refusal.detail, "input") from refusal

    async def running_turn(self, user: str, session_id: str) -> str | None:
        reply = await self._ask(FindRunning(user=user, session_id=session_id))
        return reply.turn.turn_id if reply.turn is not None else None

    async def _recipes(self) -> list[str]:
        return (await self._ask(Recipes())).names

    async def _models(self) -> list[str]:
        return (await self._ask(Models())).models

    async def _known(self, ask: Callable[[], Awaitable[list[str]]]) -> list[str]:
        until, names = self._names.get(ask.__name__, (0.0, []))
        if monotonic() >= until:
            try:
                names = await ask()
            except (
                Transient
            ):  # As after the death of a NATS server. What was known will do: the turn is kept.
                if not names:
                    raise
            self._names[ask.__name__] = (monotonic() + _KNOWN_SECONDS, names)
        return names
