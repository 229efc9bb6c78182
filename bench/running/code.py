"""Which code is measured: this checkout, or another revision with an environment of its own."""

import hashlib
import subprocess
import sys
from pathlib import Path

import msgspec

from bench.running.environments import cache, environment

ROOT = Path(__file__).parents[2]
_LOCK = "requirements.lock"


class Code(msgspec.Struct, frozen=True):
    """A checkout of Pandora and the Python that runs it."""

    root: Path
    python: Path

    def command(self, module: str) -> list[str]:
        """Runs a module of this code. An older revision may have a module of the bench in another folder."""
        return [str(self.python), "-m", self._found(module)]

    def _found(self, module: str) -> str:
        path = Path(*module.split(".")).with_suffix(".py")
        if not module.startswith("bench.") or (self.root / path).exists():
            return module
        found = next((self.root / "bench").rglob(path.name), None)
        if found is None:
            raise FileNotFoundError(f"{self.root} has no {path.name} below bench/; this figure needs it")
        return ".".join(found.relative_to(self.root).with_suffix("").parts)


OWN = Code(ROOT, Path(sys.executable))


def code_at(revision: str) -> Code:
    """The code of a revision, checked out and installed below the cache folder; the next run finds it there.

    Raises subprocess.CalledProcessError where git does not know the revision or pip cannot install.
    """
    commit = _git("rev-parse", "--verify", f"{revision}^{{commit}}").strip()
    root = cache() / commit[:12]
    lock = root / _LOCK
    if not lock.exists():
        cache().mkdir(parents=True, exist_ok=True)
        _git("worktree", "prune")
        _git("worktree", "add", "--force", "--detach", str(root), commit)
    # Revisions with the same lock file share one environment.
    name = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    return Code(root, environment(name, "-r", str(lock)))


def _git(*arguments: str) -> str:
    run = subprocess.run(["git", "-C", ROOT, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return run.stdout
