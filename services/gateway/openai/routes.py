"""What OpenAI's clients ask for: models."""

from litestar import get
from litestar.handlers import HTTPRouteHandler

from services.gateway.asking.ports import Ask
from services.gateway.http.parameters import InjectedAsk
from services.gateway.openai.errors import IN_OPENAI_FORM, REFUSALS
from services.gateway.openai.models import Model, ModelList, listed, no_such_model
from shared.contract.abilities import Ability
from shared.contract.requests import Models, Recipes


@get(
    "/models",
    ability=Ability.TURNS_READ,
    exception_handlers=IN_OPENAI_FORM,
    responses=REFUSALS,
    summary="For OpenAI's clients: the recipes, and the models of the engine",
)
async def get_models(ask: InjectedAsk) -> ModelList:
    return ModelList(data=await _models(ask))


@get(
    "/models/{model:str}",
    ability=Ability.TURNS_READ,
    exception_handlers=IN_OPENAI_FORM,
    responses=REFUSALS,
    summary="One of them",
)
async def get_model(model: str, ask: InjectedAsk) -> Model:
    found = next((one for one in await _models(ask) if one.id == model), None)
    if found is None:
        raise no_such_model(model)
    return found


async def _models(ask: Ask) -> list[Model]:
    recipes, engine = (await ask(Recipes())).names, await ask(Models())
    return listed(recipes, engine.engine, engine.models)


openai_routes: list[HTTPRouteHandler] = [get_models, get_model]
