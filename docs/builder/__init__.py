"""Makes docs/events.md, docs/asyncapi.json and docs/abilities.md from the code: `make docs`.

`docstrings` reads what the code says of a struct and its fields, `entries` lists all that travels on the bus,
`types_in_words` puts types into words; `page` writes the Markdown, `asyncapi` the document for programs.
`abilities` writes who may ask what, by route and by subject.
"""
