"""How a process shows who it is: its seed, made once and for its owner alone, and TLS."""

import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.local.nats import USERS_CONF
from deploy.local.nats_users import write_users
from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams
from shared.bus.identity import connection_as
from shared.bus.rights import IDENTITIES
from shared.process.environment import SettingsError
from shared.process.settings import CommonSettings
from tests.servers.nats import NatsServer, bus_to, nats_in_hand, state
from tests.unit.samples import requested


def test_seeds_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    users, file = tmp_path / "data" / "nats-users", tmp_path / USERS_CONF

    write_users(users, file)
    made, configuration = {one.name: one.read_text() for one in users.iterdir()}, file.read_text()
    write_users(users, file)

    assert sorted(made) == sorted(f"{identity}.seed" for identity in IDENTITIES)
    assert {one.name: one.read_text() for one in users.iterdir()} == made
    assert file.read_text() == configuration
    assert not [seed for seed in made.values() if seed.strip() in configuration]
    assert {stat.S_IMODE(one.stat().st_mode) for one in users.iterdir()} == {0o600}
    assert stat.S_IMODE(users.stat().st_mode) == stat.S_IMODE(users.parent.stat().st_mode) == 0o700


def test_a_seed_that_is_none_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "gateway.seed").write_text("hello\n")

    with pytest.raises(SettingsError, match=r"gateway\.seed holds no nkey .* Remove it"):
        write_users(tmp_path, tmp_path / USERS_CONF)


async def test_what_a_server_without_credentials_stored_is_there_once_it_asks_for_them(
    tmp_path: Path,
) -> None:
    write_users(tmp_path / "nats-users", tmp_path / USERS_CONF)
    async with nats_in_hand() as before:
        async with bus_to(before.url, "orchestrator") as bus:
            await declare_streams(bus.jetstream, first_turn_number=1)
            await bus.publish(requested("t1"))
        await before.stop()
        after = NatsServer(before.store, "-c", str(tmp_path / USERS_CONF))
        await after.start()
        try:
            async with bus_to(after.url, "orchestrator", users=tmp_path / "nats-users") as bus:
                assert (await state(bus, "TURNS")).messages == 1
                assert await bus.publish(requested("t2")) == 2
        finally:
            await after.stop()


async def test_a_connection_by_tls_shows_its_certificate_and_checks_the_servers(tmp_path: Path) -> None:
    certificate, key = certificate_in(tmp_path)
    write_users(tmp_path / "nats-users", tmp_path / USERS_CONF)
    tls = f'tls {{ cert_file: "{certificate}", key_file: "{key}", ca_file: "{certificate}", verify: true }}'
    (tmp_path / "nats.conf").write_text(f"include {USERS_CONF}\n{tls}\n")
    async with nats_in_hand("-c", str(tmp_path / "nats.conf")) as server:
        settings = CommonSettings.model_construct(
            nats_url=server.url.replace("nats://", "tls://"),
            nats_users_dir=tmp_path / "nats-users",
            nats_tls_ca_file=certificate,
            nats_tls_cert_file=certificate,
            nats_tls_key_file=key,
        )
        async with Bus.connect("orchestrator", settings) as bus:
            await declare_streams(bus.jetstream, first_turn_number=1)

            assert await bus.publish(requested("t1")) == 1


def test_a_file_of_tls_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hello\n")
    settings = CommonSettings.model_construct(nats_tls_ca_file=tmp_path / "ca.pem")

    with pytest.raises(SettingsError, match=r"^NATS_TLS_CA_FILE='.*ca\.pem', .* Set them to PEM files"):
        connection_as("gateway", settings)


def certificate_in(folder: Path) -> tuple[Path, Path]:
    """The files of a certificate of 127.0.0.1 that signs itself, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), _address()]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, private


def _address() -> x509.IPAddress:
    return x509.IPAddress(ip_address("127.0.0.1"))
