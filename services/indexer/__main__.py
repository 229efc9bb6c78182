"""python -m services.indexer"""

from services.indexer.app.serve import serve
from services.indexer.settings import IndexerSettings
from shared.process.runtime import main

if __name__ == "__main__":
    main("indexer", IndexerSettings, serve)
