"""Whether the disk has the room that a start needs."""

from deploy.local.settings import StackSettings
from shared.process.environment import SettingsError

_MIB = 1024 * 1024
_FIRST_START_BYTES = 160 * _MIB
"""PostgreSQL's files, the converted model, and streams: 132 MiB were measured."""


def check_room(settings: StackSettings) -> None:
    """Raises SettingsError that says how much room is missing, and where."""
    room = settings.local.disk.room()
    is_first = not (settings.local.pandora_data_dir / "run").exists()
    needed = room.reserve_bytes + (_FIRST_START_BYTES if is_first else 0)
    if room.is_full or room.free_bytes < needed:
        raise SettingsError(
            f"PANDORA_DATA_DIR={str(settings.local.pandora_data_dir)!r}: its disk has "
            f"{room.free_bytes // _MIB} MiB left, and a start needs {needed // _MIB} MiB, of which "
            f"{room.reserve_bytes // _MIB} MiB stay free (DISK_RESERVE_BYTES). "
            f"Make room for {-(-(needed - room.free_bytes) // _MIB)} MiB on the disk of {room.folder}."
        )
