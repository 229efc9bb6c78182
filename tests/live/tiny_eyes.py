"""Builds a tiny Idefics3 with random weights and a chat template: `python -m tests.live.tiny_eyes FOLDER`.

It sees nothing that it could name, but every pixel goes through what a real model that sees uses: the
processor cuts the image into tiles, a vision tower and a connector make tokens of them, a Llama goes on from
there. Its chat template is as those of such models are: it knows content in parts only. Needs torch,
transformers, tokenizers and Pillow, and no network. Most other families that vLLM knows need torchvision:
LLaVA, Qwen-VL, Gemma 3, Pixtral.
"""

import math
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.live.tiny_model import SPECIAL, llama_config, never_end, tokenizer_for

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CONTEXT_TOKENS = 512
TILE_PIXELS = 32
_PATCH_PIXELS = 8
_SCALE = 2
_TOKENS_OF_A_TILE = (TILE_PIXELS // _PATCH_PIXELS // _SCALE) ** 2
_TILES_A_SIDE = 2
_MARKS = [
    "<image>",
    "<fake_token_around_image>",
    "<end_of_utterance>",
    "<global-img>",
    *(
        f"<row_{row}_col_{column}>"
        for row in range(1, _TILES_A_SIDE + 1)
        for column in range(1, _TILES_A_SIDE + 1)
    ),
]


def build_seeing(folder: Path, *, context_tokens: int = CONTEXT_TOKENS) -> None:
    """Writes the weights, the tokenizer, the processor and a generation_config into `folder`."""
    import torch

    transformers: Any = import_module("transformers")  # Its classes are not typed through and through.
    tokenizer = tokenizer_for(context_tokens, CHAT_TEMPLATE, [*SPECIAL, *_MARKS])
    torch.manual_seed(7)
    text = llama_config(tokenizer, context_tokens)
    config = transformers.Idefics3Config(
        text_config=text,
        vision_config=transformers.models.idefics3.configuration_idefics3.Idefics3VisionConfig(
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=TILE_PIXELS,
            patch_size=_PATCH_PIXELS,
        ),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.convert_tokens_to_ids("<|end|>"),
        scale_factor=_SCALE,
        tie_word_embeddings=False,
    )
    model = transformers.Idefics3ForConditionalGeneration(config).to(torch.bfloat16)
    never_end(model, text.eos_token_id)
    model.generation_config = transformers.GenerationConfig(
        temperature=0.7, do_sample=True, eos_token_id=text.eos_token_id, max_new_tokens=64
    )
    model.save_pretrained(folder)
    _processor(transformers, tokenizer).save_pretrained(folder)


def tokens_of_an_image(width: int, height: int) -> int:
    """Its tiles with their marks, then the whole of it. Its longer side is scaled to that of all tiles."""
    most = TILE_PIXELS * _TILES_A_SIDE
    scale = most / max(width, height)
    columns, rows = (max(1, math.ceil(side * scale / TILE_PIXELS)) for side in (width, height))
    line_breaks = rows + 1
    whole = 1 + 1 + _TOKENS_OF_A_TILE + 1
    return rows * columns * (2 + _TOKENS_OF_A_TILE) + line_breaks + whole


def _processor(transformers: Any, tokenizer: Any) -> Any:
    pillow: Any = import_module("transformers.models.idefics3.image_processing_pil_idefics3")
    return transformers.Idefics3Processor(
        image_processor=pillow.Idefics3ImageProcessorPil(
            size={"longest_edge": TILE_PIXELS * _TILES_A_SIDE}, max_image_size={"longest_edge": TILE_PIXELS}
        ),
        tokenizer=tokenizer,
        image_seq_len=_TOKENS_OF_A_TILE,
        chat_template=CHAT_TEMPLATE,
    )


if __name__ == "__main__":
    build_seeing(Path(sys.argv[1]))
