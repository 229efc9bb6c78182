"""Python environments of the code that ours is compared with, below a cache folder; made once."""

import os
import subprocess
import sys
from pathlib import Path


def cache() -> Path:
    """The bench's folder among the user's caches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pandora-bench"


def environment(name: str, *arguments: str) -> Path:
    """The Python of the environment `name`, in which pip has installed `arguments`.

    Raises subprocess.CalledProcessError where pip cannot install.
    """
    folder = cache() / f"environment-{name}"
    python, installed = folder / "bin" / "python", folder / "installed"
    if not installed.exists():
        print(f"installing {' '.join(arguments)} into {folder}; the first time takes minutes", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *arguments], check=True)
        installed.touch()
    return python
