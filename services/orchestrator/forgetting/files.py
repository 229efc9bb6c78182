"""Deletes uploaded files together with the turns that name them."""

from services.orchestrator.documents.ports import Documents
from services.orchestrator.documents.reading import read_record
from services.orchestrator.forgetting.affected_turns import Forgotten
from services.orchestrator.images.ports import Files
from shared.contract.events import ForgetRequested


async def forget_files(
    order: ForgetRequested, forgotten: Forgotten, documents: Documents, files: Files
) -> int:
    """Removes the files that forgotten turns name, or all files of a user. Returns how many there were."""
    records = [await read_record(documents, turn_id) for turn_id in sorted(forgotten.turn_ids)]
    file_ids = {image.file_id for record in records if record is not None for image in record.images}
    if order.scope == "user":
        file_ids |= set(await files.begun_until(order.user, order.requested_at))
    return await files.remove(order.user, file_ids)
