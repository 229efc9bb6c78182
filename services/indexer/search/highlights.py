"""Which sentences of a text show why it was found."""

from shared.language.sentences import sentences
from shared.language.stems import Stems
from shared.language.words import words_of

_MOST = 3


def highlights(text: str, asked: set[str], stems: Stems) -> list[str]:
    """At most three sentences that share words with the query, most of them first.

    `asked`: the stems of the query's words.
    """
    found = list(sentences(text))
    shared = [
        (len(asked.intersection(map(stems.stem, words_of(sentence)))), i) for i, sentence in enumerate(found)
    ]
    best = sorted((pair for pair in shared if pair[0]), key=lambda pair: (-pair[0], pair[1]))
    return [found[i] for _, i in best[:_MOST]]
