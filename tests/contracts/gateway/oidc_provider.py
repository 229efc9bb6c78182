"""An OpenID Connect provider on loopback, with keys of its own."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.servers.ports import free_ports


class OidcProvider:
    """Signs whatever claims a test wants, and counts how often its keys are fetched."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.keys: dict[str, Any] = {}
        self.fetches = 0
        self.is_away = False
        self.add("first", "RS256")

    def add(self, key_id: str, algorithm: str) -> None:
        is_rsa = algorithm.startswith("RS")
        key = rsa.generate_private_key(65537, 2048) if is_rsa else ec.generate_private_key(ec.SECP256R1())
        self.keys[key_id] = (algorithm, key)

    def token(self, key_id: str = "first", headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """None as a claim leaves it out."""
        now = int(time.time())
        every = {"iss": self.issuer, "aud": "pandora", "sub": "dora", "iat": now, "exp": now + 300} | claims
        payload = {name: value for name, value in every.items() if value is not None}
        algorithm, key = self.keys[key_id]
        return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": key_id} | (headers or {}))

    def published(self) -> list[dict[str, Any]]:
        return [
            json.loads((RSAAlgorithm if algorithm == "RS256" else ECAlgorithm).to_jwk(key.public_key()))
            | {"kid": key_id, "use": "sig"}
            for key_id, (algorithm, key) in self.keys.items()
        ]

    async def discovery(self, _: web.Request) -> web.Response:
        if self.is_away:
            raise web.HTTPBadGateway
        return web.json_response({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"})

    async def jwks(self, _: web.Request) -> web.Response:
        self.fetches += 1
        shared = {"kty": "oct", "kid": "shared", "k": "c2VjcmV0", "alg": "HS256"}
        return web.json_response({"keys": [*self.published(), shared]})


@asynccontextmanager
async def oidc_provider() -> AsyncIterator[OidcProvider]:
    (port,) = free_ports(1)
    provider = OidcProvider(port)
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", provider.discovery)
    app.router.add_get("/keys", provider.jwks)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield provider
    finally:
        await runner.cleanup()
