"""Turns a chat into vLLM's prompt, by the model's own template. A text that is to go on has none.

Images are decoded before that, so that the error for a broken image is not mixed up with others.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from services.inference.text.refusals import refuse_tools
from shared.contract.errors import Refused
from shared.contract.requests import Generate, Message

_NO_TOOLS: Final = (
    "this worker reads no calls of tools from a model's text; run `vllm serve --enable-auto-tool-choice "
    "--tool-call-parser ...`, and set INFERENCE_ENGINE=openai and OPENAI_BASE_URL to it"
)


async def prompt_of(request: Generate, llm: Any, model: str) -> Any:
    """The chat or the text in tokens, those of images included. Raises Refused (422) where no room for an
    answer is left."""
    refuse_tools(request, _NO_TOOLS)
    prompt = await (_rendered(request, llm, model) if request.prompt is None else _cut(request.prompt, llm))
    tokens, most = len(prompt["prompt_token_ids"]), llm.model_config.max_model_len
    if tokens >= most:
        raise Refused(
            422,
            f"the prompt has {tokens} tokens, and {model} takes at most {most} "
            "for prompt and answer together",
            "messages" if request.prompt is None else "prompt",
        )
    return prompt


async def _rendered(request: Generate, llm: Any, model: str) -> Any:
    from vllm.renderers.params import ChatParams

    chat = await _chat_of(request.messages, llm, model)
    template: dict[str, Any] = {"add_generation_prompt": True}
    if request.thinking is not None:
        template["enable_thinking"] = request.thinking
    _, prompts = await llm.renderer.render_chat_async([chat], ChatParams(chat_template_kwargs=template))
    return prompts[0]


async def _cut(text: str, llm: Any) -> Any:
    from vllm.renderers.params import TokenizeParams

    how = TokenizeParams(max_total_tokens=None, add_special_tokens=True)
    return (await llm.renderer.tokenize_prompts_async([{"prompt": text}], how))[0]


async def _chat_of(messages: Sequence[Message], llm: Any, model: str) -> list[dict[str, Any]]:
    """The messages in vLLM's form, with decoded images. Raises Refused (422) for images that cannot be
    shown."""
    wanted = sum(len(message.images) for message in messages)
    if not wanted:
        return [{"role": message.role, "content": message.content} for message in messages]
    most = _most_images(llm)
    if not most:
        raise Refused(
            422, f"{model} cannot see; set MODEL to one that can, or leave the images out", "messages"
        )
    if wanted > most:
        raise Refused(422, f"there are {wanted} images, and {model} takes at most {most} at once", "messages")
    images = iter(await _decoded([image for message in messages for image in message.images], llm))
    return [_with_images(message, [next(images) for _ in message.images]) for message in messages]


def _most_images(llm: Any) -> int:
    """Images that one request may have; 0 where the model cannot see."""
    processor = llm.renderer.mm_processor
    if processor is None:
        return 0
    limits = processor.info.allowed_mm_limits
    return int(
        limits.get("image", limits.get("vision_chunk", 0))
    )  # Some count images and videos as one kind.


async def _decoded(urls: Sequence[str], llm: Any) -> list[Any]:
    """Decodes in vLLM's own threads."""
    from vllm.multimodal.media import MediaConnector

    reader = MediaConnector(llm.model_config.multimodal_config.media_io_kwargs)
    images = await asyncio.gather(*(reader.fetch_image_async(url) for url in urls), return_exceptions=True)
    for number, image in enumerate(images, 1):
        if isinstance(image, Exception):  # Decoders raise many kinds of errors, not only OSError.
            which = "the image" if len(images) == 1 else f"image {number} of {len(images)}"
            raise Refused(422, f"{which} cannot be read: {_reason(image)}", "messages") from image
    return images


def _reason(error: Exception) -> str:
    said = str(error).removeprefix("Failed to load image: ").partition(" <_io.BytesIO")[0]
    return said or type(error).__name__


def _with_images(message: Message, images: Sequence[Any]) -> dict[str, Any]:
    if not images:
        return {"role": message.role, "content": message.content}
    shown = [{"type": "image_pil", "image_pil": image} for image in images]
    return {"role": message.role, "content": [*shown, {"type": "text", "text": message.content}]}
