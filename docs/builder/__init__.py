"""Makes docs/events.md and docs/asyncapi.json from the code: `make docs`.

`docstrings` reads what the code says of a struct and its fields, `entries` lists all that travels on the bus,
`types_in_words` puts types into words; `page` writes the Markdown, `asyncapi` the document for programs.
"""
