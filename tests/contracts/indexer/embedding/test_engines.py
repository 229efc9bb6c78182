"""The copy of the packaged model for CTranslate2, held against sentence-transformers."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy
import pytest

from bench.running.sentences import questions, sentences
from services.indexer.app.embedding import load_model
from services.indexer.embedding.ctranslate2 import CTranslate2Model
from services.indexer.embedding.model import PACKAGED_MODEL
from services.indexer.embedding.packaged import converted_folder
from services.indexer.embedding.sentence_transformers import SentenceTransformerModel
from services.indexer.settings import IndexerSettings
from shared.process.environment import SettingsError

TEXTS = [
    *islice(sentences(seed=1), 60),
    *islice(questions(seed=2), 20),
    "Yes.",
    "Ça alors ! Où est l'école ?",
    "蜂蜜はどこですか",
    "🐝🐝🐝",
    "SELECT * FROM turns WHERE id = 7;",
    "https://example.org/a/very/long/path?with=parameters",
    " ".join(islice(sentences(seed=3), 20)),
]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return converted_folder(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize(
    ("compute_type", "mean", "worst"), [("int8", 0.993, 0.97), ("float32", 0.999, 0.995)]
)
def test_each_number_format_is_near_to_the_reference(
    converted: Path, compute_type: str, mean: float, worst: float
) -> None:
    reference = SentenceTransformerModel.load(PACKAGED_MODEL, dtype="float32").encode(TEXTS)
    model = CTranslate2Model(converted, compute_type, threads=1)

    cosines = (model.encode(TEXTS) * reference).sum(axis=1)

    assert cosines.mean() >= mean
    assert cosines.min() >= worst


def test_a_text_has_the_same_vector_alone_and_among_longer_ones(converted: Path) -> None:
    model = CTranslate2Model.load(converted, threads=1)

    together = model.encode(TEXTS)

    alone = numpy.concatenate([model.encode([text]) for text in TEXTS])
    assert (together * alone).sum(axis=1) == pytest.approx(1.0, abs=2e-3)


def test_threads_get_the_vectors_of_their_own_texts(converted: Path) -> None:
    model = CTranslate2Model.load(converted, threads=2)

    with ThreadPoolExecutor(4) as threads:
        vectors = numpy.concatenate(list(threads.map(lambda text: model.encode([text]), TEXTS)))

    assert (vectors * model.encode(TEXTS)).sum(axis=1) == pytest.approx(1.0, abs=2e-3)


def test_the_copy_is_made_once(converted: Path) -> None:
    before = (converted / "model.bin").stat()

    again = converted_folder(converted.parent)

    assert again == converted
    assert (again / "model.bin").stat() == before
    assert [path.name for path in converted.parent.iterdir()] == [converted.name]


def test_two_processes_that_make_the_copy_at_once_both_have_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        made = list(threads.map(converted_folder, [tmp_path, tmp_path]))

    assert made[0] == made[1]
    assert list(tmp_path.iterdir()) == [made[0]]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")

    with pytest.raises(SettingsError, match=r"^PANDORA_DATA_DIR='.*EMBEDDING_DTYPE=float32") as error:
        converted_folder(tmp_path / "models")

    assert "\n" not in str(error.value)


def test_a_number_format_that_is_asked_for_is_computed_by_torch(tmp_path: Path) -> None:
    settings = IndexerSettings.model_validate({"pandora_data_dir": tmp_path, "embedding_dtype": "float32"})

    assert load_model(settings, PACKAGED_MODEL, threads=1).engine.startswith("sentence-transformers ")
    assert list(tmp_path.iterdir()) == []


def test_the_indexer_computes_vectors_without_torch(tmp_path: Path) -> None:
    program = """
import sys
import services.indexer.app.serve
from services.indexer.app.embedding import load_model
from services.indexer.settings import IndexerSettings

model = load_model(IndexerSettings(), "all-MiniLM-L6-v2", threads=1)
assert model.encode(["bees"]).shape == (1, 384)
heavy = {"torch", "transformers", "sentence_transformers", "qdrant_client"}
print(sorted(heavy & set(sys.modules)), model.engine)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert ran.stdout.startswith("[] CTranslate2 ")


def test_words_that_the_model_has_learned_are_familiar(converted: Path) -> None:
    packaged = CTranslate2Model(converted, "float32", threads=1)
    reference = SentenceTransformerModel.load(PACKAGED_MODEL, dtype="float32")
    known = ["What is my cat called?", "Who am I?", "Wie heisst meine Katze?", "2 + 2?", ""]
    strange = ["我的猫叫什么名字", "איך קוראים לחתולה שלי?", "แมวของฉันชื่ออะไร", "우리 고양이 이름이 뭐야?"]

    for model in (packaged, reference):
        assert [model.familiarity(text) for text in known] == [1.0] * len(known)
        assert [model.familiarity(text) for text in strange] == [0.0] * len(strange)
