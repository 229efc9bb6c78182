"""Receipts of what was forgotten."""

from services.indexer.forgetting.debts import DebtTable
from services.indexer.forgetting.table import ForgottenTable
from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused
from shared.contract.requests import GetReceipt, KeepReceipt, Receipt, ReceiptKept, Unerased, UnerasedReply

_RECEIPTS_AT_ONCE = 50


class Receipts:
    """Stores and shows them."""

    def __init__(self, forgotten: ForgottenTable, debts: DebtTable) -> None:
        self._forgotten = forgotten
        self._debts = debts

    @endpoint
    async def keep_receipt(self, request: KeepReceipt) -> ReceiptKept:
        await self._forgotten.keep(request.receipt)
        return ReceiptKept()

    @endpoint
    async def get_receipt(self, request: GetReceipt) -> Receipt:
        receipt = await self._forgotten.receipt(request.user, request.forget_id)
        if receipt is None:
            raise Refused(404, f"nothing was forgotten under {request.forget_id} yet; ask again in a moment")
        return receipt

    @endpoint
    async def unerased(self, request: Unerased) -> UnerasedReply:
        receipts = await self._forgotten.unerased(request.after, _RECEIPTS_AT_ONCE + 1)
        return UnerasedReply(
            receipts=receipts[:_RECEIPTS_AT_ONCE],
            more=len(receipts) > _RECEIPTS_AT_ONCE,
            since=await self._debts.owed_since(),
        )
