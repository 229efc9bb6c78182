"""The documentation page. Its scripts are served from here, so that it works without a network."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
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


_SCRIPT = _PAGE.split("<script>")[1].split("</script>")[0]
_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    f"script-src 'self' 'sha256-{b64encode(sha256(_SCRIPT.encode()).digest()).decode()}'; "
    "frame-ancestors 'none'"
)
"""The page's own script is named by its digest. Swagger UI sets styles inline."""


@get("/docs", ability=Ability.PUBLIC, include_in_schema=False)
async def docs() -> Response[str]:
    return Response(_PAGE, media_type=MediaType.HTML, headers={"content-security-policy": _POLICY})


@get("/docs/{name:str}", ability=Ability.PUBLIC, include_in_schema=False)
async def docs_asset(name: str) -> Response[bytes]:
    if name not in _ASSETS:
        raise Refused(404, f"/docs has no file {name!r}")
    return Response(_asset(name), media_type=_ASSETS[name], headers={"cache-control": "max-age=86400"})


@cache
def _asset(name: str) -> bytes:
    return (files("swagger_ui") / "static" / name).read_bytes()


public_routes: list[HTTPRouteHandler] = [docs, docs_asset]
