"""`pandora chat`: messages and commands, one after another, until the user leaves."""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol
from uuid import uuid4

from cli.ask.turn import SILENCE_SECONDS, Asked, Event, how_to_find
from cli.chat.following import Following
from cli.chat.journal import Journal, Unanswered, whose_chats
from cli.chat.views import show_memories, show_sessions, show_why
from cli.client.address import gateway_key, gateway_url
from cli.client.gateway import Gateway, GatewayError, own_gateway, silent_for
from cli.terminal.failure import CommandFailed
from cli.terminal.lines import Interrupted, Lines
from cli.terminal.output import errors, print_error, print_note, print_text

_HELP = """\
/sessions     the latest sessions; with a number: go on with that one
/new          begin a new session
/memory       what is known of you; with words: what has them in it
/why          what the last answer stands on
/cancel       stop the turn that runs (Ctrl-C does so, too)
/quit         leave (Ctrl-D, or Ctrl-C twice)
Pasted lines are one message. A message that begins with a slash: put a space before it.\
"""


class Source(Protocol):
    """Where messages come from."""

    async def message(self) -> str | None:
        """Returns None where the input has ended."""
        ...


async def talk(session: str | None, recipe: str | None) -> None:
    """Returns when the user leaves. Raises CommandFailed where no gateway answers at the start."""
    lines = Lines()
    async with own_gateway(silent_for(SILENCE_SECONDS)) as gateway:
        journal = Journal.opened(whose_chats(gateway_url(), gateway_key()), session)
        try:
            await Chat(gateway, lines, journal, recipe).run()
        finally:
            journal.close()


class Chat:
    def __init__(self, gateway: Gateway, lines: Lines, journal: Journal, recipe: str | None) -> None:
        self._gateway = gateway
        self._lines = lines
        self._journal = journal
        self._recipe = recipe
        self._session = journal.noted.session
        self._later: deque[str] = deque()
        """Messages that were typed while a turn ran."""
        self._sessions: list[str] = []
        """As they were listed last."""
        self._unanswered: Asked | None = None
        self._last_turn: str | None = None
        self._interrupt: Callable[[], object] = lambda: None
        self._has_left = False
        self._commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "/sessions": self._list_or_choose,
            "/new": self._begin_session,
            "/memory": show_memories,
            "/why": self._tell_why,
            "/cancel": self._nothing_to_cancel,
            "/help": self._help,
            "/quit": self._leave,
        }

    async def run(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: self._interrupt())
        source = self._source()
        print_note(f"Session {self._session}. /help lists the commands.")
        await self._go_on()
        while not self._has_left and (message := await self._next(source)) is not None:
            await self._take(message)
        if self._last_turn is not None:
            print_note(f"To go on: pandora chat --session {self._session}")

    def _source(self) -> Source:
        """An editor where the terminal can move its cursor; lines as they come everywhere else."""
        is_able = os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")
        if not (is_able and sys.stdin.isatty() and sys.stdout.isatty()):
            return self._lines
        from cli.chat.editor import Editor  # Takes a third of a second to import.

        return Editor()

    async def _next(self, source: Source) -> str | None:
        """Returns None where the user leaves: the input has ended, or Ctrl-C came twice."""
        was_interrupted = False
        while not self._later:
            if source is self._lines and sys.stdin.isatty():
                errors.print("> ", end="")
            reading = asyncio.ensure_future(source.message())
            self._interrupt = reading.cancel
            try:
                return await reading
            except (asyncio.CancelledError, Interrupted):
                if was_interrupted:
                    return None
                was_interrupted = True
                print_note("Ctrl-C again leaves.")
        return self._later.popleft()

    async def _take(self, message: str) -> None:
        text = message.strip()
        if not text:
            await self._follow_unanswered()
        elif message.startswith("/") and "\n" not in text:
            await self._obey(text)
        else:
            self._ask(Asked(text, self._session, self._recipe))
            await self._follow_unanswered()

    async def _obey(self, text: str) -> None:
        name, _, rest = text.partition(" ")
        if name not in self._commands:
            print_error(f"There is no command {name}. /help lists those that there are.")
            return
        try:
            await self._commands[name](rest.strip())
        except CommandFailed as error:
            print_error(str(error))

    # --- turns ---

    async def _go_on(self) -> None:
        """Asks again what a chat that crashed had asked: the same key gets the same turn."""
        left = self._journal.noted.unanswered
        if left is None:
            return
        print_note("Your last message had no answer yet:")
        print_text(left.text)
        asked = Asked(left.text, self._session, self._recipe)
        asked.key = left.key
        self._ask(asked)
        await self._follow_unanswered()

    def _ask(self, asked: Asked) -> None:
        self._unanswered = asked
        self._journal.note(self._session, Unanswered(asked.body["input"], asked.key))

    async def _follow_unanswered(self) -> None:
        asked = self._unanswered
        if asked is None:
            return
        following = Following(self._gateway, asked, self._lines, self._later)
        self._interrupt = lambda: self._interrupt_turn(following)
        try:
            self._note_end(await following.to_the_end())
        except asyncio.CancelledError:
            print_note(how_to_find(self._gateway.url, asked))
        except CommandFailed as error:
            print_error(str(error))
            if not asked.ended and not _is_refusal(error):
                print_note("It has no answer yet. An empty line asks again, and gets the same turn.")
                return
        self._unanswered = None
        self._journal.note(self._session, None)

    def _interrupt_turn(self, following: Following) -> None:
        self._has_left = following.interrupt()

    def _note_end(self, last: Event) -> None:
        self._last_turn = last["turn_id"]

    # --- commands ---

    async def _list_or_choose(self, number: str) -> None:
        if not number:
            self._sessions = await show_sessions(self._session)
        elif number.isdecimal() and 0 < int(number) <= len(self._sessions):
            self._go_to(self._sessions[int(number) - 1])
        else:
            print_error(f"There is no session {number} in the list. /sessions shows it.")

    async def _begin_session(self, _: str) -> None:
        self._go_to(str(uuid4()))

    def _go_to(self, session: str) -> None:
        self._session = session
        self._unanswered = self._last_turn = None
        self._journal.note(session, None)
        print_note(f"Session {session}.")

    async def _tell_why(self, _: str) -> None:
        if self._last_turn is None:
            print_note("There was no answer yet.")
        else:
            await show_why(self._last_turn)

    async def _nothing_to_cancel(self, _: str) -> None:
        print_note("No turn runs here. `pandora cancel` stops one by its id.")

    async def _help(self, _: str) -> None:
        print_text(_HELP)

    async def _leave(self, _: str) -> None:
        self._has_left = True


def _is_refusal(error: CommandFailed) -> bool:
    """Whether the gateway would refuse the same message again."""
    return isinstance(error, GatewayError) and error.status is not None and 400 <= error.status < 500
