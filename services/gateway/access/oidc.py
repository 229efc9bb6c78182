"""Tokens of an OpenID Connect provider: JWTs that are taken like keys.

Its public keys are found by its discovery document, kept, and fetched again for an id that is not known.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import jwt
import msgspec

from services.gateway.http.callers import Caller
from services.gateway.settings import ASYMMETRIC
from shared.contract.abilities import ABILITIES_OF, Role
from shared.contract.errors import Refused, Transient
from shared.contract.events import User

log = logging.getLogger(__name__)
_KINDS = frozenset({"RSA", "EC", "OKP"})
_BEGIN = "eyJ"
"""`{"` in base64: how each JWT begins."""
_DISCOVERY = "/.well-known/openid-configuration"
_MOST_BYTES = 1024 * 1024
_FRESH_SECONDS = 600.0
"""A key that the provider took back is believed for so long."""
_PAUSE_SECONDS = 10.0
"""Between two fetches, so that tokens with invented key ids cost the provider nothing."""
_FETCH = aiohttp.ClientTimeout(total=5)
_STRONGEST_FIRST = (Role.ADMIN, Role.SERVICE, Role.OPERATOR, Role.USER)


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """Whose tokens are taken, and what their claims mean."""

    issuer: str
    audience: str
    algorithms: list[str]
    user_claim: str
    role_claim: str
    """Where it is nested: `realm_access.roles`. Empty: all are users."""
    leeway_seconds: float


class ProviderKeys:
    """The provider's public keys by their ids. Raises Transient where it never answered."""

    def __init__(
        self, http: aiohttp.ClientSession, issuer: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._issuer = issuer
        self._clock = clock
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Returns None for an id that the provider does not have. A single key may go without an id."""
        if self._is_stale() or key_id not in self._keys:
            async with self._fetching:  # Those who waited find what the first one fetched.
                if self._clock() - self._tried_at >= _PAUSE_SECONDS:
                    await self._fetch()
        if not self._keys:
            raise Transient(f"the keys of OIDC_ISSUER={self._issuer} cannot be fetched now")
        return self._keys.get(key_id)

    def _is_stale(self) -> bool:
        return self._clock() - self._fetched_at >= _FRESH_SECONDS

    async def _fetch(self) -> None:
        """Where the provider is away, the keys stay that are known."""
        self._tried_at = self._clock()
        try:
            found = await self._get(self._issuer.rstrip("/") + _DISCOVERY)
            if found.get("issuer") != self._issuer:
                raise ValueError(f"its discovery document is of {found.get('issuer')!r}")
            every = (await self._get(str(found["jwks_uri"])))["keys"]
            keys = [jwt.PyJWK(key) for key in every if _may_sign(key)]
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            log.warning("OIDC_ISSUER=%s: no keys: %s", self._issuer, error or type(error).__name__)
            return
        self._keys = {key.key_id: key for key in keys}
        if len(keys) == 1:
            self._keys[None] = keys[0]
        self._fetched_at = self._clock()

    async def _get(self, url: str) -> dict[str, Any]:
        async with self._http.get(url, timeout=_FETCH, raise_for_status=True) as response:
            body = await response.content.read(_MOST_BYTES)
        return msgspec.json.decode(body, type=dict[str, Any])


def _may_sign(key: Mapping[str, Any]) -> bool:
    known = key.get("alg") is None or key["alg"] in ASYMMETRIC
    return key.get("kty") in _KINDS and key.get("use", "sig") == "sig" and known


class Tokens:
    """Finds the caller that a token speaks of."""

    def __init__(self, provider: Provider, keys: ProviderKeys) -> None:
        self._provider = provider
        self._keys = keys

    @staticmethod
    def is_one(credential: str) -> bool:
        return credential.startswith(_BEGIN) and credential.count(".") == 2

    async def caller_of(self, token: str) -> Caller:
        """Raises Refused (401), and Transient where the provider never answered."""
        try:
            key = await self._keys.find(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                raise Refused(401, "the token is signed with a key that OIDC_ISSUER does not have")
            claims = self._verified(token, key)
        except jwt.PyJWTError as error:
            raise Refused(401, f"the token is not valid: {error}") from error
        return Caller(self._user_in(claims), ABILITIES_OF[self._role_in(claims)])

    def _verified(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        provider = self._provider
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=provider.algorithms,
            issuer=provider.issuer,
            audience=provider.audience,
            leeway=provider.leeway_seconds,
            options={"require": ["exp", "iss", "aud"]},
        )
        return claims

    def _user_in(self, claims: Mapping[str, Any]) -> str:
        claim = self._provider.user_claim
        try:
            return msgspec.convert(_claim(claims, claim), User)
        except msgspec.ValidationError as error:
            raise Refused(
                401,
                f"the claim {claim} of the token is no user (1 to 64 of A-Z a-z 0-9 _ . @ -); "
                "OIDC_USER_CLAIM names another claim",
            ) from error

    def _role_in(self, claims: Mapping[str, Any]) -> Role:
        """The strongest that it names. A token that names none is a user's."""
        named = _claim(claims, self._provider.role_claim) if self._provider.role_claim else None
        values = named if isinstance(named, list) else [named]
        return next((role for role in _STRONGEST_FIRST if role.value in values), Role.USER)


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """`realm_access.roles` of nested claims. A claim whose name has dots is found by its whole name."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
