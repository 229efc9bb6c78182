"""python -m services.orchestrator"""

from services.orchestrator.app.serve import serve
from services.orchestrator.settings import OrchestratorSettings
from shared.process.runtime import main

if __name__ == "__main__":
    main("orchestrator", OrchestratorSettings, serve)
