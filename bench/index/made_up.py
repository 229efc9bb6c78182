"""python -m bench.index.made_up: the indexer over vectors that are made up.

It does not compare a sample of them with the model's, after which it would make all of them anew.
"""

from services.indexer.app.serve import serve
from services.indexer.generations import sample
from services.indexer.settings import IndexerSettings
from shared.process.runtime import main

if __name__ == "__main__":
    sample.LEAST_MEAN_COSINE = -1.0  # No two vectors are further apart.
    main("indexer", IndexerSettings, serve)
