"""Text as PostgreSQL can store it."""


def storable(text: str) -> str:
    """PostgreSQL's text has every character but NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
