"""How a command ends that came to nothing."""


class CommandFailed(Exception):
    """The message says what to do next."""
