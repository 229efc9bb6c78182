"""Whether a text has anything for a reader."""


def is_visible(text: str) -> bool:
    """False for blanks, line breaks and marks without a shape (U+200B, a byte order mark)."""
    return any(letter.isprintable() and not letter.isspace() for letter in text)
