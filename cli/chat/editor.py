"""The line that a person edits, at a terminal that can move its cursor."""

from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from cli.terminal.lines import Interrupted

PROMPT = "> "


class Editor:
    """Arrow keys bring back earlier messages. Pasted lines stay one message; Alt-Enter begins a line."""

    def __init__(self) -> None:
        keys = KeyBindings()
        keys.add("escape", "enter")(_begin_line)
        self._session: PromptSession[str] = PromptSession(key_bindings=keys, interrupt_exception=Interrupted)

    async def message(self) -> str | None:
        """Returns None where the input has ended. Raises Interrupted."""
        try:
            typed = await self._session.prompt_async(PROMPT, handle_sigint=False)
        except EOFError:
            return None
        return typed.encode(errors="replace").decode()  # Bytes that are no text come as surrogates.


def _begin_line(event: KeyPressEvent) -> None:
    event.current_buffer.insert_text("\n")
