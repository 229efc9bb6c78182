"""python -m services.indexer.embedding.conversion SOURCE TARGET: writes a model of sentences for CTranslate2.

SOURCE is a folder of sentence-transformers. TARGET appears at once and complete. It has int8 weights, the
tokenizer, and a measurement: which number format computes fastest on this processor.
"""

import os
import shutil
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import numpy
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from services.indexer.embedding.ctranslate2 import FASTEST, CTranslate2Model, Fastest

_LEVELS = 96
"""Of 127. Without VNNI a processor adds two products in 16 bits, and larger ones are cut off there."""
_ROUNDS = 5
_SURELY_FASTER = 1.2
"""float32 has to be that much faster than int8. Less may be noise."""
_TEXTS = [
    f"On day {n} my sister asked for a flat near the harbour, because the rent had doubled." for n in range(8)
]

Weights = dict[str, NDArray[numpy.float32]]


def convert(source: Path, target: Path) -> None:
    """Where another process has written TARGET meanwhile, its copy stays."""
    being_made = target.with_name(f"{target.name}.{os.getpid()}")
    being_made.mkdir(parents=True)
    try:
        _write_model(source, being_made)
        _write_tokenizer(source, being_made)
        (being_made / FASTEST).write_bytes(msgspec.json.encode(_fastest(being_made)))
        try:
            being_made.rename(target)
        except OSError:
            if not target.exists():
                raise
    finally:
        shutil.rmtree(being_made, ignore_errors=True)


def _write_model(source: Path, target: Path) -> None:
    # ctranslate2.specs imports torch where it finds it, which takes seconds. NumPy's arrays need no torch.
    sys.modules["torch"] = None  # type: ignore[assignment]  # None: an import fails
    from ctranslate2.specs import common_spec, transformer_spec

    config = msgspec.json.decode((source / "config.json").read_bytes())
    encoder = transformer_spec.TransformerEncoderSpec(
        config["num_hidden_layers"],
        config["num_attention_heads"],
        pre_norm=False,
        activation=common_spec.Activation.GELU,
        layernorm_embedding=True,
        num_source_embeddings=2,
        embeddings_merge=common_spec.EmbeddingsMerge.ADD,
    )
    encoder.scale_embeddings = False
    _set_weights(encoder, load_file(source / "model.safetensors"))
    spec = transformer_spec.TransformerEncoderModelSpec(encoder)
    spec.config.layer_norm_epsilon = config["layer_norm_eps"]
    spec.config.unk_token = "[UNK]"  # noqa: S105 - a word piece, no secret
    spec.register_vocabulary((source / "vocab.txt").read_text(encoding="utf-8").splitlines())
    spec.validate()
    spec.save(str(target))


def _set_weights(encoder: Any, weights: Weights) -> None:
    _set_matrix(encoder.embeddings[0], weights["embeddings.word_embeddings.weight"], levels=127)
    _set_matrix(encoder.embeddings[1], weights["embeddings.token_type_embeddings.weight"], levels=127)
    encoder.position_encodings.encodings = weights["embeddings.position_embeddings.weight"]
    _set_norm(encoder.layernorm_embedding, weights, "embeddings.LayerNorm")
    for number, layer in enumerate(encoder.layer):
        own = f"encoder.layer.{number}"
        attention = [f"{own}.attention.self.{name}" for name in ("query", "key", "value")]
        _set_linear(layer.self_attention.linear[0], weights, *attention)
        _set_linear(layer.self_attention.linear[1], weights, f"{own}.attention.output.dense")
        _set_norm(layer.self_attention.layer_norm, weights, f"{own}.attention.output.LayerNorm")
        _set_linear(layer.ffn.linear_0, weights, f"{own}.intermediate.dense")
        _set_linear(layer.ffn.linear_1, weights, f"{own}.output.dense")
        _set_norm(layer.ffn.layer_norm, weights, f"{own}.output.LayerNorm")


def _set_linear(spec: Any, weights: Weights, *names: str) -> None:
    """Several matrices become one, row after row."""
    _set_matrix(spec, numpy.concatenate([weights[f"{name}.weight"] for name in names]), levels=_LEVELS)
    spec.bias = numpy.concatenate([weights[f"{name}.bias"] for name in names])


def _set_matrix(spec: Any, matrix: NDArray[numpy.float32], levels: int) -> None:
    """As int8, each row with a scale of its own."""
    spec.weight_scale = numpy.float32(levels) / numpy.abs(matrix).max(axis=1)
    spec.weight = numpy.rint(matrix * spec.weight_scale[:, None]).astype(numpy.int8)


def _set_norm(spec: Any, weights: Weights, name: str) -> None:
    spec.gamma, spec.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]


def _write_tokenizer(source: Path, target: Path) -> None:
    limits = msgspec.json.decode((source / "sentence_bert_config.json").read_bytes())
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(limits["max_seq_length"])
    tokenizer.save(str(target / "tokenizer.json"))


def _fastest(folder: Path) -> Fastest:
    """int8, unless float32 is clearly faster. They are measured in turn, and the best time of each counts."""
    models = {name: CTranslate2Model(folder, name, threads=1) for name in ("int8", "float32")}
    best = dict.fromkeys(models, float("inf"))
    for _ in range(_ROUNDS):
        for name, model in models.items():
            start = perf_counter()
            model.encode(_TEXTS)
            best[name] = min(best[name], perf_counter() - start)
    chosen = "float32" if best["int8"] > _SURELY_FASTER * best["float32"] else "int8"
    return Fastest(chosen, {name: round(len(_TEXTS) / seconds) for name, seconds in best.items()})


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
