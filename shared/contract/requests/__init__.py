"""What one process asks of another and what it gets back: core NATS request/reply, one subject an ability.

Every request names the user that it is asked for. The answering service filters by it, so that no path exists
on which one user's words reach another.
"""

from shared.contract.requests.conversations import Conversation, GetConversation, KeepConversation
from shared.contract.requests.dead_letters import (
    DeadLetter,
    DeadLetterRow,
    DeadLetterSettled,
    DropDeadLetter,
    ListDeadLetters,
    ListDeadLettersReply,
    ReplayDeadLetter,
    ShowDeadLetter,
)
from shared.contract.requests.documents import (
    ArchiveTurns,
    ArchiveTurnsReply,
    Document,
    DocumentPiece,
    DocumentsReply,
    ExportTurn,
    ExportTurnReply,
    GetDocument,
    HeldTurn,
    ListDocuments,
    ListHeldTurns,
    ListHeldTurnsReply,
)
from shared.contract.requests.embeddings import MOST_CHARACTERS, MOST_TEXTS, Embed, Embedded
from shared.contract.requests.files import (
    PIECE_BYTES,
    DeleteFile,
    FileDeleted,
    FileInfo,
    FilePiece,
    FilePut,
    GetFile,
    ListFiles,
    ListFilesReply,
    PutFile,
    ReadFile,
)
from shared.contract.requests.forgetting import (
    AnswersCleared,
    CachesForgotten,
    ClearAnswers,
    EraseRows,
    ForgetCached,
    ForgetRows,
    GetReceipt,
    KeepReceipt,
    KnownEvents,
    KnownEventsReply,
    Receipt,
    ReceiptKept,
    ReceiptState,
    RowsErased,
    RowsForgotten,
    StillForgetting,
    Store,
    StoreReceipt,
    Unerased,
    UnerasedReply,
)
from shared.contract.requests.history import (
    ConversationRow,
    ListConversations,
    ListConversationsReply,
    ListSessions,
    ListSessionsReply,
    ListTurns,
    ListTurnsReply,
    Neighbours,
    NeighboursReply,
    SessionRow,
)
from shared.contract.requests.inference import (
    ENGINE_NEEDED,
    REFLECTING,
    Abort,
    Aborted,
    CountTokens,
    EngineName,
    Generate,
    Generated,
    GenerateHere,
    HasRoom,
    Message,
    Models,
    ModelsReply,
    NamedTool,
    Passage,
    PrefixHeld,
    RoleName,
    Room,
    StillGenerating,
    TokenCounts,
    Tool,
    ToolCall,
)
from shared.contract.requests.memories import (
    ChangeMemory,
    DeleteMemories,
    GetMemory,
    ListMemories,
    ListMemoriesReply,
    MemoriesDeleted,
    MemoryChange,
    MemoryFilter,
    SaveMemory,
)
from shared.contract.requests.messages import (
    MOST_MESSAGES,
    HeldMessage,
    ImportedMessage,
    ImportMessages,
    ImportReply,
    ListMessages,
    ListMessagesReply,
    MessageId,
)
from shared.contract.requests.originals import GetOriginal
from shared.contract.requests.recall import Recall, Recalled
from shared.contract.requests.request import (
    MOST_HITS,
    QUEUE_LIMIT,
    UNAVAILABLE,
    Problem,
    Reply,
    Request,
    checked_limit,
    reply_type,
)
from shared.contract.requests.research import (
    MOST_DAYS,
    MOST_DOMAINS,
    FigureName,
    FreshResearch,
    FreshResearchReply,
    GetObservability,
    GetPage,
    GetSources,
    ListResearch,
    ListResearchReply,
    ObservabilityReply,
    ObservedRow,
    Page,
    PageReply,
    SourceRow,
    SourcesReply,
)
from shared.contract.requests.search import KINDS, Hit, Kind, Search, SearchReply, Signal, Speaker
from shared.contract.requests.sessions import (
    GetSession,
    ListHeldSessions,
    ListHeldSessionsReply,
    SessionSettings,
    SetSession,
)
from shared.contract.requests.turns import (
    EventsReply,
    GetEvents,
    GetTurn,
    Recipes,
    RecipesReply,
    TurnRecord,
    TurnRow,
    TurnStatus,
)
from shared.contract.requests.unended_turns import (
    Control,
    ControlHere,
    Controlled,
    FindRunning,
    FindUnended,
    ListUnended,
    RunningReply,
    UnendedStatus,
    UnendedTurn,
    UnendedTurns,
)
from shared.contract.requests.upkeep import (
    Check,
    CheckedKind,
    CheckReply,
    Count,
    CountReply,
    Ping,
    Pong,
    Reindex,
    Reindexing,
    ReindexingReply,
    StillChecking,
)
