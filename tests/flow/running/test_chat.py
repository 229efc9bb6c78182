"""`pandora chat` at a real terminal, in front of a model that speaks slowly."""

import asyncio

from tests.flow.terminal import pandora_at_a_terminal
from tests.flow.turns.http_turns import unique, words
from tests.stack import Stack

_PASTE, _END_OF_PASTE = "\x1b[200~", "\x1b[201~"
_PROMPT = "\x1b[?2004h"
"""An editor that takes a paste as such."""
_SECONDS = 30.0
_CTRL_C, _CTRL_D, _ENTER = "\x03", "\x04", "\r"


async def said_of(stack: Stack, boat: str) -> tuple[str, str]:
    """The session of the turn that names it, and what was said in it."""
    async with asyncio.timeout(_SECONDS):
        while True:
            _, found = await stack.call("GET", "/v1/turns?limit=5")
            for turn in found["turns"]:
                if boat in turn["input"]:
                    return turn["session_id"], turn["input"]
            await asyncio.sleep(0.05)


async def test_pasted_lines_are_one_message_and_ctrl_c_stops_a_turn(slow: Stack) -> None:
    boat = unique("boat")
    async with pandora_at_a_terminal(slow, "chat") as terminal:
        await terminal.until(_PROMPT)
        terminal.press(f"{_PASTE}My {boat}\nis green.{_END_OF_PASTE}{_ENTER}")
        await terminal.until("synthesis", "is green.")
        await terminal.until(_PROMPT)
        session, text = await said_of(slow, boat)
        assert text == f"My {boat}\nis green."
        assert session in terminal.shown

        terminal.press(words(200) + _ENTER)
        await terminal.until("synthesis", "word word")
        terminal.press(_CTRL_C)
        await terminal.until("The turn was cancelled.")

        terminal.press(f"/why{_ENTER}")
        await terminal.until("It stands on nothing")
        await terminal.until("More of it", _PROMPT)
        terminal.press(_CTRL_C)
        await terminal.until("Ctrl-C again leaves.")
        terminal.press(_CTRL_C)
        assert await terminal.until_ended() == 0
        assert f"pandora chat --session {session}" in terminal.shown


async def test_a_chat_that_was_killed_goes_on(slow: Stack) -> None:
    boat = unique("boat")
    async with pandora_at_a_terminal(slow, "chat") as terminal:
        await terminal.until(_PROMPT)
        terminal.press(f"{words(30)} {boat}.{_ENTER}")
        await terminal.until("synthesis", "word word")
        terminal.process.kill()

    async with pandora_at_a_terminal(slow, "chat") as terminal:
        await terminal.until("had no answer yet")
        await terminal.until("synthesis", f"{boat}.")
        await terminal.until(_PROMPT)
        session, text = await said_of(slow, boat)
        assert text == f"{words(30)} {boat}."
        assert session in terminal.shown
        terminal.press(_CTRL_D)
        assert await terminal.until_ended() == 0

    async with pandora_at_a_terminal(slow, "chat") as terminal:
        await terminal.until(_PROMPT)
        assert session not in terminal.shown


async def test_a_terminal_without_abilities_gets_plain_ascii(slow: Stack) -> None:
    boat = unique("boat")
    plain = {"TERM": "dumb", "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    async with pandora_at_a_terminal(slow, "chat", **plain) as terminal:
        await terminal.until("> ")
        terminal.press(f"My {boat}\nis blue.\n")
        await terminal.until("synthesis", "is blue.")
        await terminal.until("> ")
        assert (await said_of(slow, boat))[1] == f"My {boat}\nis blue."

        terminal.press("/sessions\n")
        await terminal.until("session", "To go on with one")
        terminal.press(words(200) + "\n")
        await terminal.until("synthesis", "word word")
        terminal.press(f"{_CTRL_C}")
        await terminal.until("The turn was cancelled.")
        terminal.press("/quit\n")
        assert await terminal.until_ended() == 0

    assert terminal.shown.isascii()
    assert "\x1b" not in terminal.shown
