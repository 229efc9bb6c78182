"""python -m services.indexer"""

from services.indexer.app import serve
from services.indexer.settings import IndexerSettings
from shared.runtime import main

if __name__ == "__main__":
    main("indexer", IndexerSettings, serve)
