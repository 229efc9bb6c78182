"""The ability that a subject of the bus needs: the one that a caller of the gateway must have for it.

By the names that docs/events.md has. Each subject has a row: a test compares them with the contract.
"""

from typing import Final

from shared.contract.abilities import Ability

ABILITY_OF: Final = {
    # Events. Those that tell of every user are heard by services alone.
    "turn.requested": Ability.TURNS_WRITE,
    "turn.saved": Ability.INTERNAL,
    "turn.failed": Ability.INTERNAL,
    "turn.cancelled": Ability.INTERNAL,
    "turn.indexed": Ability.INTERNAL,
    "memory.saved": Ability.MEMORY_WRITE,
    "memory.extracted": Ability.INTERNAL,
    "research.saved": Ability.INTERNAL,
    "source.observed": Ability.INTERNAL,
    "forget.requested": Ability.DATA_FORGET,
    "turn.stream.<turn_id>": Ability.TURNS_READ,
    # Turns, their documents and sessions.
    "turns.get": Ability.TURNS_READ,
    "turns.events": Ability.TURNS_READ,
    "turns.recipes": Ability.TURNS_READ,
    "turns.unended": Ability.TURNS_READ,
    "turns.original": Ability.TURNS_READ,
    "turns.queue": Ability.TURNS_READ,
    "turns.running": Ability.TURNS_READ,
    "turn.control.*": Ability.TURNS_WRITE,
    "turns.documents": Ability.TURNS_READ,
    "turns.document": Ability.TURNS_READ,
    "turns.held": Ability.DATA_EXPORT,
    "turns.export": Ability.DATA_EXPORT,
    "turns.archive": Ability.OPERATE_WRITE,
    "sessions.get": Ability.TURNS_READ,
    "sessions.held": Ability.TURNS_READ,
    "sessions.set": Ability.TURNS_WRITE,
    "conversations.get": Ability.TURNS_READ,
    "conversations.keep": Ability.TURNS_WRITE,
    # Files.
    "file.put": Ability.FILES_WRITE,
    "file.get": Ability.FILES_READ,
    "file.read": Ability.FILES_READ,
    "file.list": Ability.FILES_READ,
    "file.delete": Ability.FILES_WRITE,
    # Memory.
    "index.search": Ability.MEMORY_READ,
    "index.recall": Ability.INTERNAL,
    "index.list": Ability.TURNS_READ,
    "index.sessions": Ability.TURNS_READ,
    "index.conversations": Ability.TURNS_READ,
    "index.neighbours": Ability.MEMORY_READ,
    "index.import": Ability.MEMORY_WRITE,
    "index.messages": Ability.MEMORY_READ,
    "memories.save": Ability.MEMORY_WRITE,
    "memories.list": Ability.MEMORY_READ,
    "memories.get": Ability.MEMORY_READ,
    "memories.change": Ability.MEMORY_WRITE,
    "memories.delete": Ability.DATA_FORGET,
    "index.research.fresh": Ability.MEMORY_READ,
    "index.research": Ability.MEMORY_READ,
    "index.research.get": Ability.MEMORY_READ,
    "index.sources": Ability.MEMORY_READ,
    # Forgetting.
    "forget.receipt": Ability.DATA_FORGET,
    "index.unerased": Ability.INTERNAL,
    "index.known": Ability.INTERNAL,
    "index.receipt": Ability.INTERNAL,
    "index.forget": Ability.INTERNAL,
    "index.clear": Ability.INTERNAL,
    "index.erase": Ability.INTERNAL,
    "orchestrator.forget": Ability.INTERNAL,
    # The engine.
    "inference.generate": Ability.TURNS_WRITE,
    "inference.models": Ability.TURNS_READ,
    "inference.room": Ability.INTERNAL,
    "inference.here": Ability.INTERNAL,
    "inference.tokens": Ability.TURNS_READ,
    "inference.abort": Ability.INTERNAL,
    "inference.held": Ability.INTERNAL,
    # The embedding model.
    "index.embed": Ability.TURNS_WRITE,
    # Upkeep.
    "index.observability": Ability.OPERATE_READ,
    "index.ping": Ability.OPERATE_READ,
    "index.count": Ability.OPERATE_READ,
    "index.reindexing": Ability.OPERATE_READ,
    "index.reindex": Ability.OPERATE_WRITE,
    "index.check": Ability.OPERATE_WRITE,
    "deadletters.list": Ability.OPERATE_READ,
    "deadletters.show": Ability.ADMIN_READ,
    "deadletters.replay": Ability.OPERATE_WRITE,
    "deadletters.drop": Ability.OPERATE_WRITE,
    "dead.<durable>": Ability.ADMIN_READ,
    # Between processes of one service, and buckets.
    "orchestrator.control": Ability.INTERNAL,
    "orchestrator.alive": Ability.INTERNAL,
    "turn.join.<turn_id>": Ability.INTERNAL,
    "replay.<durable>": Ability.INTERNAL,
    "padding.<stream>": Ability.INTERNAL,
    "$KV.<bucket>.<key>": Ability.INTERNAL,
}
