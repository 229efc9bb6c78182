"""Writes the files: `python -m docs.builder`."""

from docs.builder.files import files

for path, text in files():
    path.write_text(text)
