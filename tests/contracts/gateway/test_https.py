"""HTTPS: certificates that are renewed while the server runs, and what a proxy may say."""

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from shared.process.environment import SettingsError
from shared.process.http import serve_http
from shared.process.tls import Certificate
from tests.contracts.bus.certificates import certificate_for
from tests.servers.ports import free_ports

FORWARDED = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}


async def who_asks(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers with what it knows of its client."""
    body = json.dumps([scope["client"][0], scope["scheme"]]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def test_a_renewed_certificate_is_served_without_a_new_start(tmp_path: Path) -> None:
    _, before = certificate_for("localhost", tmp_path)
    certificate = Certificate(tmp_path / "certificate.pem", tmp_path / "key.pem", "GATEWAY_TLS_CERT_FILE")
    (port,) = free_ports(1)
    following = asyncio.create_task(certificate.follow())
    async with serve_http(who_asks, "127.0.0.1", port, "GATEWAY_PORT", tls=certificate.context):
        assert await is_trusted(port, before)

        (tmp_path / "key.pem").write_text("half written")
        _, after = certificate_for("localhost", tmp_path)

        async with asyncio.timeout(20):
            while not await is_trusted(port, after):  # noqa: ASYNC110  # the files are looked at
                await asyncio.sleep(0.1)
        assert not await is_trusted(port, before)
    following.cancel()


async def is_trusted(port: int, trusts: ssl.SSLContext) -> bool:
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"https://localhost:{port}/", ssl=trusts) as answer,
        ):
            assert await answer.json(content_type=None) == ["127.0.0.1", "https"]
            return True
    except aiohttp.ClientConnectorCertificateError:
        return False


def test_files_that_are_no_certificate_end_the_start(tmp_path: Path) -> None:
    certificate_for("localhost", tmp_path)
    (tmp_path / "other.pem").write_text("no key")

    for key in ("other.pem", "missing.pem"):
        with pytest.raises(SettingsError, match=rf"GATEWAY_TLS_CERT_FILE=.*{key}"):
            Certificate(tmp_path / "certificate.pem", tmp_path / key, "GATEWAY_TLS_CERT_FILE")


@pytest.mark.parametrize(
    ("trusted", "seen"),
    [
        ([], ["127.0.0.1", "http"]),
        (["10.0.0.0/8"], ["127.0.0.1", "http"]),
        (["127.0.0.0/8"], ["203.0.113.7", "https"]),
    ],
)
async def test_only_a_named_proxy_says_for_whom_it_asks(trusted: list[str], seen: list[str]) -> None:
    (port,) = free_ports(1)
    async with (
        serve_http(who_asks, "127.0.0.1", port, "GATEWAY_PORT", trusted_proxies=trusted),
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{port}/", headers=FORWARDED) as answer,
    ):
        assert await answer.json(content_type=None) == seen
