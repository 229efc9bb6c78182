"""The rules of `make soak-clients` find what they are for."""

from typing import Any

import pytest

from tests.soak.clients.plan import Kind, Plan
from tests.soak.clients.programs import Asked
from tests.soak.clients.rules import audit
from tests.soak.stores import Folder, Stores


def asked(number: int, kind: Kind = "chat", **more: Any) -> Asked:
    plan = Plan(
        number=number,
        client=0,
        begins_after=0.0,
        kind=kind,
        user="alice",
        words="w1",
        goes_on=True,
        gives_up_after=0.0,
    )
    fields: dict[str, Any] = {"is_over": True, "answer": "Yes.", "turn_ids": {f"t{number}"}}
    return Asked(plan=plan, **(fields | more))


def folder(number: int, turn_id: str = "", status: str = "saved", **more: Any) -> Folder:
    record = {
        "turn_id": turn_id or f"t{number}",
        "input": f"soak{number}x w1",
        "output": "Yes.",
        "status": status,
        "session_id": "s",
        "turn_number": number,
        "last_index": -1,
    }
    return Folder(name=f"turn_{number:06d}", documents=[], record=record | more)


def found(rule: str, of: list[Asked], folders: list[Folder]) -> list[str]:
    return [f"{finding.turn}: {finding.what}" for finding in audit(of, Stores(folders=folders))[rule]]


@pytest.mark.parametrize(
    ("rule", "one", "folders", "finding"),
    [
        ("lost", asked(1, is_over=False), [folder(1)], "soak1x: was never answered (chat)"),
        ("lost", asked(1, turn_ids=set()), [], "soak1x: has no turn (chat)"),
        ("lost", asked(1, "left"), [], "soak1x: was answered by t1, which is not stored"),
        ("doubled", asked(1), [folder(1), folder(1, "t9")], "soak1x: 2 turns (chat)"),
        ("doubled", asked(1, "raw"), [folder(1)], "soak1x: a request to the engine's model is a turn"),
        ("gaps", asked(1, faults=["read 3 after 1"]), [folder(1)], "soak1x: read 3 after 1"),
        (
            "gaps",
            asked(1, answer="Y"),
            [folder(1)],
            "soak1x: its client read 'Y', and ['Yes.'] is kept (chat)",
        ),
        (
            "cancels broken",
            asked(1, "cancel", status="cancelled"),
            [folder(1)],
            "soak1x: the cancel told cancelled, and the turn is saved",
        ),
    ],
)
def test_a_fault_is_found(rule: str, one: Asked, folders: list[Folder], finding: str) -> None:
    assert finding in found(rule, [one], folders)


def test_conversations_are_held_apart() -> None:
    one, other = asked(1, conversation=1), asked(2, conversation=2)

    assert found("sessions broken", [one, other], [folder(1), folder(2)]) == [
        "s: is two conversations, (0, 1) and (0, 2)"
    ]
    assert found(
        "sessions broken", [one, asked(3, conversation=1)], [folder(1), folder(3, session_id="z")]
    ) == ["conversation (0, 1): is 2 sessions"]


def test_what_may_be_is_no_finding() -> None:
    all_asked = [asked(1), asked(2, "left", turn_ids=set()), asked(3, "raw", turn_ids=set())]
    all_asked.append(asked(4, "cancel", status="cancelled", answer=None))
    folders = [folder(1), folder(1, "t0", "failed"), folder(4, status="cancelled")]

    for rule in ("lost", "doubled", "cancels broken"):
        assert found(rule, all_asked, folders) == []
