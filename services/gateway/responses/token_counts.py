"""How many tokens an input has, as the engine counts them."""

from services.gateway.asking.ports import Ask
from services.gateway.openai.models import may_be_recipe, recipe_of
from services.gateway.responses.objects import TokenCount
from services.gateway.responses.request import Asked, all_messages, check
from shared.contract.errors import Refused
from shared.contract.requests import CountTokens, Recipes


async def counted(ask: Ask, asked: Asked) -> TokenCount:
    """Counts the words. Raises Refused for images, whose tokens are known only to their model."""
    check(asked)
    messages = all_messages(asked)
    if any(message.images for message in messages):
        raise Refused(422, "the tokens of images cannot be counted; leave them out", "input")
    recipe = recipe_of(asked.model, await ask(Recipes())) if may_be_recipe(asked.model) else None
    model = asked.model if recipe is None else None
    counts = await ask(CountTokens(texts=[message.text for message in messages], model=model))
    return TokenCount(input_tokens=sum(counts.counts))
