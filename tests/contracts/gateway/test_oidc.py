"""Tokens of an OpenID Connect provider: which are taken, for whom, and what a provider that is away costs."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.gateway.access.oidc import Provider, ProviderKeys, Tokens
from services.gateway.http.callers import Caller
from shared.bus.connection import Bus
from shared.contract.abilities import ABILITIES_OF, Role
from shared.contract.errors import Refused, Transient
from tests.contracts.gateway.gateway_room import KEYS, gateway_over_http
from tests.contracts.gateway.oidc_provider import OidcProvider, oidc_provider


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def provider() -> AsyncIterator[OidcProvider]:
    async with oidc_provider() as started:
        yield started


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def tokens(provider: OidcProvider, clock: Clock) -> AsyncIterator[Tokens]:
    expected = Provider(
        issuer=provider.issuer,
        audience="pandora",
        algorithms=["RS256", "ES256"],
        user_claim="sub",
        role_claim="realm_access.roles",
        leeway_seconds=30,
    )
    async with aiohttp.ClientSession() as http:
        yield Tokens(expected, ProviderKeys(http, provider.issuer, clock))


def unsigned(provider: OidcProvider, algorithm: str, secret: bytes = b"") -> str:
    """A token that its sender made, with `none` or with HMAC."""
    claims = provider.token().split(".")[1]
    head = (
        base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "first"}).encode())
        .rstrip(b"=")
        .decode()
    )
    signature = hmac.digest(secret, f"{head}.{claims}".encode(), hashlib.sha256) if secret else b""
    return f"{head}.{claims}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def test_a_token_is_of_the_user_and_the_role_that_its_claims_name(
    provider: OidcProvider, tokens: Tokens
) -> None:
    provider.add("curve", "ES256")
    for token, expected in [
        (provider.token(), Caller("dora", ABILITIES_OF[Role.USER])),
        (provider.token("curve", aud=["other", "pandora"]), Caller("dora", ABILITIES_OF[Role.USER])),
        (
            provider.token(realm_access={"roles": ["offline", "operator", "user"]}),
            Caller("dora", ABILITIES_OF[Role.OPERATOR]),
        ),
        (provider.token(exp=int(time.time()) - 10), Caller("dora", ABILITIES_OF[Role.USER])),
    ]:
        assert tokens.is_one(token)
        assert await tokens.caller_of(token) == expected


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": 1}, "expired"),
        ({"exp": None}, "exp"),
        ({"nbf": 2**40}, "not yet valid"),
        ({"aud": "another"}, "[Aa]udience"),
        ({"aud": None}, "aud"),
        ({"iss": "http://127.0.0.1:1"}, "[Ii]ssuer"),
        ({"sub": "no user"}, "OIDC_USER_CLAIM"),
        ({"sub": None}, "OIDC_USER_CLAIM"),
    ],
)
async def test_a_token_for_others_or_for_another_time_is_refused(
    provider: OidcProvider, tokens: Tokens, claims: dict[str, Any], why: str
) -> None:
    with pytest.raises(Refused, match=why) as refused:
        await tokens.caller_of(provider.token(**claims))

    assert refused.value.status == 401


async def test_a_token_that_anybody_could_sign_is_refused(provider: OidcProvider, tokens: Tokens) -> None:
    public = provider.keys["first"][1].public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, claims, signature = provider.token().split(".")
    for token in [
        unsigned(provider, "none"),
        unsigned(provider, "HS256", pem),
        unsigned(provider, "HS256", b"secret"),
        provider.token(headers={"kid": "shared"}),
        f"{head}.{claims}.{signature[:-8]}AAAAAAAA",
        f"{head}.{claims}x.{signature}",
        "eyJ.eyJ.x",
    ]:
        with pytest.raises(Refused) as refused:
            await tokens.caller_of(token)
        assert refused.value.status == 401


async def test_a_new_key_is_fetched_and_invented_ones_cost_the_provider_nothing(
    provider: OidcProvider, tokens: Tokens, clock: Clock
) -> None:
    await tokens.caller_of(provider.token())
    provider.add("second", "RS256")
    for number in range(20):
        with pytest.raises(Refused, match="does not have"):
            await tokens.caller_of(provider.token(headers={"kid": f"invented-{number}"}))
    assert provider.fetches == 1

    clock.now += 11
    assert await tokens.caller_of(provider.token("second")) == Caller("dora")
    assert provider.fetches == 2


async def test_a_provider_that_is_away_is_waited_for_and_its_known_keys_stay(
    provider: OidcProvider, tokens: Tokens, clock: Clock
) -> None:
    provider.is_away = True
    with pytest.raises(Transient, match="OIDC_ISSUER"):
        await tokens.caller_of(provider.token())

    provider.is_away = False
    clock.now += 11
    await tokens.caller_of(provider.token())
    provider.is_away = True
    clock.now += 3600
    assert await tokens.caller_of(provider.token()) == Caller("dora")


async def test_a_gateway_takes_keys_and_tokens_and_nothing_else(bus: Bus, provider: OidcProvider) -> None:
    async with gateway_over_http(bus, oidc_issuer=provider.issuer) as client:
        for bearer, status in [
            (provider.token(), 422),
            (KEYS["alice"], 422),
            (provider.token(exp=1), 401),
            ("eyJhbGciOi", 401),
            ("", 401),
        ]:
            headers = {"authorization": f"Bearer {bearer}"}
            assert (await client.call_as_stranger("GET", "/v1/turns?limit=0", b"", headers))[0] == status
