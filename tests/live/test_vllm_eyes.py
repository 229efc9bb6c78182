"""vLLM with a model that sees: what every engine does with an image, and what is refused.

Runs where vLLM is installed (`make test-vllm`), with a tiny random model: of two images it says two things,
whatever they are.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from services.inference.ports import Finished
from services.inference.vllm.engine import VllmEngine
from shared.contract.errors import Refused
from shared.contract.requests import Message
from tests.contracts.inference.engines_room import PIXEL, SCHEMA, ask, parts_of, vllm_with
from tests.live.tiny_eyes import CONTEXT_TOKENS, TILE_PIXELS, build_seeing, tokens_of_an_image

pytest.importorskip("vllm", reason="vLLM is not installed here; see make test-vllm")
pytestmark = pytest.mark.filterwarnings("default")
LONG = "My sister Mira keeps bees in Lisbon. " * 20
NO_IMAGE = "data:image/png;base64," + base64.b64encode(b"no image at all").decode()


@pytest.fixture(scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VllmEngine]:
    folder = tmp_path_factory.mktemp("eyes")
    build_seeing(folder)
    async with vllm_with(folder) as engine:
        yield engine


def shown(color: str, size: tuple[int, int] = (40, 30), form: str = "PNG", mode: str = "RGB") -> str:
    buffer = BytesIO()
    Image.new(mode, size, color).save(buffer, form)
    return f"data:image/{form.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


async def said(
    engine: VllmEngine, *images: str, text: str = "What is it?", **more: Any
) -> tuple[str, Finished]:
    messages = more.pop("messages", [Message("user", text, list(images))])
    request = ask(role="EYES", messages=messages, max_tokens=12, temperature=0.0, **more)
    deltas, finished = await parts_of(engine, request)
    return "".join(delta.text for delta in deltas), finished


async def test_what_it_says_depends_on_what_it_is_shown(engine: VllmEngine) -> None:
    red, again, blue, nothing = [
        (await said(engine, *images))[0] for images in ([shown("red")], [shown("red")], [shown("blue")], [])
    ]

    assert red == again
    assert len({red, blue, nothing}) == 3


@pytest.mark.parametrize("size", [(1, 1), (40, 30), (TILE_PIXELS * 20, TILE_PIXELS), (1, 3000)])
async def test_the_tokens_of_an_image_are_counted(engine: VllmEngine, size: tuple[int, int]) -> None:
    _, without = await said(engine)
    _, with_one = await said(engine, shown("red", size))
    _, with_two = await said(engine, shown("red", size), shown("blue", size))

    of_one = with_one.usage.input_tokens - without.usage.input_tokens
    assert of_one == tokens_of_an_image(*size)
    assert with_two.usage.input_tokens - without.usage.input_tokens == 2 * of_one


async def test_words_alone_reach_a_template_that_knows_only_parts(engine: VllmEngine) -> None:
    counted = await engine.count_tokens([LONG], None)
    _, finished = await said(engine, text=LONG)

    template_tokens = len(("<|user|>", "<|end|>", "<|assistant|>"))
    assert finished.usage.input_tokens == counted.counts[0] + template_tokens


async def test_images_of_several_messages_keep_their_places(engine: VllmEngine) -> None:
    def chat(first: str, second: str) -> list[Message]:
        return [
            Message("system", "You look."),
            Message("user", "First.", [shown(first)]),
            Message("assistant", "Seen."),
            Message("user", "And then?", [shown(second)]),
        ]

    one, finished = await said(engine, messages=chat("red", "blue"))
    other, _ = await said(engine, messages=chat("blue", "red"))

    assert one != other
    assert finished.usage.input_tokens > 2 * tokens_of_an_image(40, 30)


@pytest.mark.parametrize(
    "image",
    [
        shown("red", form="JPEG"),
        shown("red", form="WEBP"),
        shown("red", form="GIF"),
        shown("red", mode="RGBA"),
        PIXEL,
    ],
    ids=["jpeg", "webp", "gif", "with alpha", "one pixel"],
)
async def test_it_takes_every_kind_that_the_gateway_does(engine: VllmEngine, image: str) -> None:
    _, finished = await said(engine, image)

    assert finished.usage.output_tokens > 0


async def test_a_guided_answer_about_an_image_follows_its_schema(engine: VllmEngine) -> None:
    request = ask(messages=[Message("user", "Is it red?", [shown("red")])], schema=SCHEMA, max_tokens=200)
    deltas, _ = await parts_of(engine, request)

    verdict = json.loads("".join(delta.text for delta in deltas))
    assert verdict["decision"] in {"approve", "revise"}


async def test_many_images_at_once_get_answers_of_their_own(engine: VllmEngine) -> None:
    answers = await asyncio.gather(
        *(said(engine, shown(f"#{number:02x}0000")) for number in range(0, 256, 16))
    )

    assert all(finished.usage.output_tokens > 0 for _, finished in answers)
    assert len({text for text, _ in answers}) > 1


async def test_another_image_before_the_same_words_is_not_answered_from_the_cache(engine: VllmEngine) -> None:
    _, first = await said(engine, shown("green"), text=LONG)
    _, second = await said(engine, shown("green"), text=LONG)
    _, another = await said(engine, shown("yellow"), text=LONG)

    assert first.usage.cached_tokens == another.usage.cached_tokens == 0
    assert 0 < second.usage.cached_tokens < second.usage.input_tokens


async def test_words_that_look_like_an_image_stay_words(engine: VllmEngine) -> None:
    _, without = await said(engine, text="What is an <image>?")
    _, with_one = await said(engine, shown("red"), text="What is an <image>?")

    assert with_one.usage.input_tokens - without.usage.input_tokens == tokens_of_an_image(40, 30)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (NO_IMAGE, "cannot identify image file"),
        (shown("red")[:-40], "truncated"),
        ("data:image/png;base64,", "cannot identify image file"),
        ("data:image/png;base64,?", "base64"),
        ("data:image/png,red", "base64"),
        (shown("red", (20_000, 20_000), mode="1"), "pixels"),
    ],
    ids=["no image", "cut off", "empty", "no base64", "not said to be base64", "a bomb"],
)
async def test_a_broken_image_is_refused(engine: VllmEngine, image: str, reason: str) -> None:
    with pytest.raises(Refused, match=f"^the image cannot be read: .*{reason}") as refusal:
        await said(engine, image)

    assert (refusal.value.status, refusal.value.field) == (422, "messages")
    assert "0x" not in refusal.value.detail  # No addresses of Python's.


async def test_the_broken_one_of_several_is_named(engine: VllmEngine) -> None:
    with pytest.raises(Refused, match=r"^image 2 of 3 cannot be read"):
        await said(engine, PIXEL, NO_IMAGE, PIXEL)


async def test_more_images_than_the_model_takes_are_refused_with_the_limit(engine: VllmEngine) -> None:
    most = 999  # vLLM's own, where the model has none.

    with pytest.raises(Refused, match=rf"there are {most + 1} images, and .* at most {most}") as refusal:
        await said(engine, *[PIXEL] * (most + 1))

    assert (refusal.value.status, refusal.value.field) == (422, "messages")


async def test_images_that_leave_no_room_are_refused_with_the_limit(engine: VllmEngine) -> None:
    images = [PIXEL] * (CONTEXT_TOKENS // tokens_of_an_image(1, 1) + 1)

    with pytest.raises(Refused, match=rf"the prompt has \d+ tokens, and .* {CONTEXT_TOKENS}") as refusal:
        await said(engine, *images)

    assert (refusal.value.status, refusal.value.field) == (422, "messages")


async def test_it_goes_on_after_what_it_refused(engine: VllmEngine) -> None:
    before, _ = await said(engine, shown("red"))
    with pytest.raises(Refused):
        await said(engine, NO_IMAGE)

    after, _ = await said(engine, shown("red"))

    assert after == before
