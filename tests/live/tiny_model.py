"""Builds a tiny Llama with random weights, a tokenizer and a chat template: `python tiny_model.py FOLDER`.

It answers nonsense, but through every part of vLLM that a real model uses. Needs torch, transformers and
tokenizers, and no network.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    "{% if enable_thinking is defined %}<think>\n{% if not enable_thinking %}</think>{% endif %}{% endif %}"
)
SPECIAL = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
CONTEXT_TOKENS = 512
SPREAD = 0.2
"""Of random weights."""


def build(folder: Path, *, context_tokens: int = CONTEXT_TOKENS) -> None:
    """Writes the weights, the tokenizer and a generation_config into `folder`."""
    import torch

    transformers: Any = import_module("transformers")  # Its classes are not typed through and through.
    tokenizer = tokenizer_for(context_tokens, CHAT_TEMPLATE, SPECIAL)
    torch.manual_seed(7)
    config = llama_config(tokenizer, context_tokens)
    model = transformers.LlamaForCausalLM(config).to(torch.bfloat16)
    never_end(model, config.eos_token_id)
    model.generation_config = transformers.GenerationConfig(
        temperature=0.7, do_sample=True, eos_token_id=config.eos_token_id, max_new_tokens=64
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def never_end(model: Any, end: int) -> None:
    """With random weights one answer in 500 would be empty: the end gets none, and all other tokens differ
    much (`SPREAD`)."""
    model.get_output_embeddings().weight.data[end] = 0.0


def llama_config(tokenizer: Any, context_tokens: int) -> Any:
    return import_module("transformers").LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=context_tokens,
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|end|>"),
        # Else it says the last token of its prompt again and again.
        tie_word_embeddings=False,
        initializer_range=SPREAD,
    )


def tokenizer_for(context_tokens: int, chat_template: str, special: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    bytes_to_words = Tokenizer(models.BPE())
    bytes_to_words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_to_words.decoder = decoders.ByteLevel()
    bytes_to_words.train_from_iterator(
        ["The quick brown fox jumps over the lazy dog while my sister Mira keeps bees in Lisbon."] * 8,
        trainers.BpeTrainer(
            vocab_size=512, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        ),
    )
    tokenizer = import_module("transformers").PreTrainedTokenizerFast(
        tokenizer_object=bytes_to_words, eos_token="<|end|>", model_max_length=context_tokens
    )
    tokenizer.chat_template = chat_template
    return tokenizer


if __name__ == "__main__":
    build(Path(sys.argv[1]))
