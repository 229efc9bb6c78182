"""The documentation page. Its scripts are served from here, so that it works without a network."""

from functools import cache
from importlib.resources import files

from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from shared.contract.abilities import Ability
from shared.contract.errors import Refused

_ASSETS = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pandora API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/openapi.json", dom_id: "#api", deepLinking: true});</script>
</body>
</html>
"""


@get("/docs", ability=Ability.PUBLIC, include_in_schema=False)
async def docs() -> Response[str]:
    return Response(_PAGE, media_type=MediaType.HTML)


@get("/docs/{name:str}", ability=Ability.PUBLIC, include_in_schema=False)
async def docs_asset(name: str) -> Response[bytes]:
    if name not in _ASSETS:
        raise Refused(404, f"/docs has no file {name!r}")
    return Response(_asset(name), media_type=_ASSETS[name], headers={"cache-control": "max-age=86400"})


@cache
def _asset(name: str) -> bytes:
    return (files("swagger_ui") / "static" / name).read_bytes()


public_routes: list[HTTPRouteHandler] = [docs, docs_asset]
