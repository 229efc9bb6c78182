"""python -m services.orchestrator"""

from services.orchestrator.app import serve
from services.orchestrator.settings import OrchestratorSettings
from shared.runtime import main

if __name__ == "__main__":
    main("orchestrator", OrchestratorSettings, serve)
