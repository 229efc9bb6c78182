"""A chat as vLLM's renderer takes it. Images are read first, so that a broken one is told from all else."""

import asyncio
from collections.abc import Sequence
from typing import Any

from shared.errors import Refused
from shared.replies import Message


def most_images(llm: Any) -> int:
    """In one request; 0 where the model cannot see."""
    processor = llm.renderer.mm_processor
    if processor is None:
        return 0
    limits = processor.info.allowed_mm_limits
    return int(limits.get("image", limits.get("vision_chunk", 0)))  # Some take images and videos as one kind.


async def chat_of(messages: Sequence[Message], llm: Any, model: str) -> list[dict[str, Any]]:
    """The messages, their images decoded in vLLM's threads. Raises Refused (422) for what it cannot show."""
    wanted = sum(len(message.images) for message in messages)
    if not wanted:
        return [{"role": message.role, "content": message.content} for message in messages]
    most = most_images(llm)
    if not most:
        raise Refused(
            422, f"{model} cannot see; set MODEL to one that can, or leave the images out", "messages"
        )
    if wanted > most:
        raise Refused(422, f"there are {wanted} images, and {model} takes at most {most} at once", "messages")
    images = iter(await _decoded([image for message in messages for image in message.images], llm))
    return [_with_parts(message, [next(images) for _ in message.images]) for message in messages]


async def _decoded(urls: Sequence[str], llm: Any) -> list[Any]:
    from vllm.multimodal.media import MediaConnector

    reader = MediaConnector(llm.model_config.multimodal_config.media_io_kwargs)
    images = await asyncio.gather(*(reader.fetch_image_async(url) for url in urls), return_exceptions=True)
    for number, image in enumerate(images, 1):
        if isinstance(image, Exception):  # Decoders raise whatever comes to them, not OSError alone.
            which = "the image" if len(images) == 1 else f"image {number} of {len(images)}"
            raise Refused(422, f"{which} cannot be read: {_reason(image)}", "messages") from image
    return images


def _reason(error: Exception) -> str:
    said = str(error).removeprefix("Failed to load image: ").partition(" <_io.BytesIO")[0]
    return said or type(error).__name__


def _with_parts(message: Message, images: Sequence[Any]) -> dict[str, Any]:
    if not images:
        return {"role": message.role, "content": message.content}
    shown = [{"type": "image_pil", "image_pil": image} for image in images]
    return {"role": message.role, "content": [*shown, {"type": "text", "text": message.content}]}
