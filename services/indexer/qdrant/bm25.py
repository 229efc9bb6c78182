"""BM25 weights of a text, the same for both Qdrant adapters."""

from qdrant_edge import Bm25, Bm25Config, SparseVector

from shared.language.words import asked_words, indexed_words

# b = 0: long messages are no worse (measured on conversations).
_bm25 = Bm25(Bm25Config(k=1.2, b=0.0, language="english"))


def document_weights(text: str) -> SparseVector:
    return _bm25.embed_document(indexed_words(text))


def query_weights(text: str) -> SparseVector:
    return _bm25.embed_query(asked_words(text))
