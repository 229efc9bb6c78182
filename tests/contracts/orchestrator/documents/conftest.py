"""A folder of documents and its archive, empty."""

from pathlib import Path

import pytest

from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.folder_archive import FolderArchive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "turns"


@pytest.fixture
def documents(folder: Path) -> FolderDocuments:
    return FolderDocuments(folder)


@pytest.fixture
def archive(folder: Path) -> FolderArchive:
    return FolderArchive(folder)
