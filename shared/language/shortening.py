"""Makes a text fit a line."""


def one_line(text: str) -> str:
    """Returns the text with single spaces in place of line breaks and longer gaps."""
    return " ".join(text.split())


def shortened(text: str, longest: int) -> str:
    """Returns one line of at most `longest` characters. Where it was cut, it ends with an ellipsis."""
    line = one_line(text)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
