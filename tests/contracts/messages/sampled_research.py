"""Pages that were fetched, how their sources did, and what the work took."""

from datetime import date

import msgspec

from shared.contract.requests import (
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
from tests.contracts.messages.sampled_events import AT, EARLIER, ID, LATER, URL

PAGE = Page(
    research_id=ID,
    url=URL,
    domain="bees.example.org",
    title="Varroa mites",
    text="Oxalic acid is used in winter, when there is no brood.",
    primary_topic="varroa treatment",
    quality_overall=0.75,
    confidence_current=0.875,
    fetched_at=AT,
    expires_at=LATER,
    published_at=AT,
    content_types=["article"],
    doc_path="turn_000042/research.md",
    turn_id=EARLIER,
    turn_number=7,
    similarity=0.625,
    reliability=0.75,
)
SOURCE_ROW = SourceRow(
    domain="bees.example.org",
    success_count=5,
    failure_count=1,
    last_success=LATER,
    last_failure=AT,
    reliability_score=0.75,
    notes={"last_reason": "timeout"},
)
OBSERVED_ROW = ObservedRow(
    day=date(2026, 3, 14),
    name="phase_seconds",
    recipe="direct",
    phase="synthesis",
    role="VOICE",
    model="extractive",
    count=2,
    sum=2.5,
    p50=1.0,
    p95=1.5,
)
OF_RESEARCH: dict[str, msgspec.Struct] = {
    "index.research": ListResearch(user="alice", after=ID),
    "index.research.reply": ListResearchReply(pages=[PAGE], more=True),
    "index.research.fresh": FreshResearch(
        user="alice", query="varroa treatment", url=URL, limit=3, least_similarity=0.625
    ),
    "index.research.fresh.reply": FreshResearchReply(pages=[PAGE]),
    "index.research.get": GetPage(user="alice", research_id=ID),
    "index.research.get.reply": PageReply(page=PAGE),
    "index.sources": GetSources(domains=["bees.example.org"]),
    "index.sources.reply": SourcesReply(sources=[SOURCE_ROW]),
    "index.observability": GetObservability(days=30, name="phase_seconds"),
    "index.observability.reply": ObservabilityReply(rows=[OBSERVED_ROW]),
}
