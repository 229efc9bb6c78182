"""`python -m services.inference`"""

from services.inference.app import serve
from services.inference.settings import InferenceSettings
from shared.process.runtime import main

if __name__ == "__main__":
    main("inference", InferenceSettings, serve)
