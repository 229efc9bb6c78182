"""A plain table that can be pasted into the docs, and every finding."""

from collections import Counter
from collections.abc import Iterable

from tests.soak.audit import Finding
from tests.soak.ledger import Ledger
from tests.soak.stores import Folder, Stores

_SHOWN = 12
_WORST = ("unavailable", "internal", "refused", "timeout")


def tell(
    ledger: Ledger,
    stores: Stores,
    kills: Counter[str],
    findings: dict[str, list[Finding]],
    figures: list[tuple[str, str]],
) -> list[str]:
    accepted = ledger.accepted
    ended = Counter(folder.status for folder in stores.folders)
    cancels = [turn.cancelled for turn in accepted if turn.cancelled is not None]
    rows = [
        ("turns accepted", counted(Counter(turn.way for turn in accepted))),
        ("ended", counted(ended)),
        ("failed as unavailable, internal, refused or timeout", str(len(at_fault(stores.folders)))),
        ("other failures", _plain(Counter(_reason(folder) for folder in _failed(stores.folders)))),
        ("runs that turns took", _plain(Counter(_attempts(folder) for folder in stores.folders))),
        (
            "cancels",
            f"{len(cancels)} asked, {sum(map(bool, cancels))} stopped their turn, the rest came late",
        ),
        ("readers' connections", f"{sum(turn.connections for turn in accepted)}"),
        (
            "from accepted to the last event",
            quantiles([turn.seconds for turn in accepted if turn.has_ended]),
        ),
        ("kills", counted(kills)),
        ("half-written folders left by kills", str(len(stores.unfinished))),
        ("clients' errors, tried again", _plain(ledger.errors)),
        *figures,
        *((f"**{name}**", str(len(found))) for name, found in findings.items()),
    ]
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def details(findings: dict[str, list[Finding]], stores: Stores) -> list[str]:
    lines = []
    for name, found in findings.items():
        lines += [f"{name}: {finding.turn} {finding.what}" for finding in found[:_SHOWN]]
        if len(found) > _SHOWN:
            lines.append(f"{name}: and {len(found) - _SHOWN} more")
    for folder in at_fault(stores.folders)[:_SHOWN]:
        lines.append(f"failed: {folder.turn_id} ({folder.name}) {folder.record['error']}")
    return lines


def at_fault(folders: Iterable[Folder]) -> list[Folder]:
    return [folder for folder in _failed(folders) if _reason(folder) in _WORST]


def _failed(folders: Iterable[Folder]) -> list[Folder]:
    return [folder for folder in folders if folder.status == "failed"]


def _reason(folder: Folder) -> str:
    return str(folder.record.get("error") or "").partition(":")[0]


def _attempts(folder: Folder) -> str:
    return str(folder.record.get("attempt", 1))


def counted(parts: Counter[str]) -> str:
    return f"{parts.total()} ({_plain(parts)})" if parts else "0"


def _plain(parts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(parts.items())) or "none"


def quantiles(seconds: list[float]) -> str:
    if not seconds:
        return "none"
    ranked = sorted(seconds)
    at = [ranked[min(len(ranked) - 1, int(share * len(ranked)))] for share in (0.5, 0.95, 0.99)]
    return f"p50 {at[0]:.2f} s, p95 {at[1]:.2f} s, p99 {at[2]:.2f} s, longest {ranked[-1]:.1f} s"
