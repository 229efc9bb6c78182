"""What the orchestrator keeps in the data folder: turn documents, their archive, and uploaded files."""

from datetime import UTC, datetime
from pathlib import Path

from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.folder_archive import FolderArchive
from services.orchestrator.images.folder import FolderFiles
from services.orchestrator.images.pillow import read_image


def now() -> datetime:
    return datetime.now(UTC)


class Stores:
    def __init__(self, folder: Path) -> None:
        self.documents = FolderDocuments(folder / "turns")
        self.archive = FolderArchive(folder / "turns")
        self.files = FolderFiles(folder / "files", read_image, now)
