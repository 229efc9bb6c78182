"""Whom a key lets in, and until when."""

from datetime import UTC, datetime, timedelta

import pytest

from services.gateway.access.keys import LOCAL, Keys
from services.gateway.http.callers import Caller
from shared.contract.abilities import ABILITIES_OF, FOR_ADMINS, FOR_USERS, Ability, Role
from shared.contract.errors import Transient
from shared.contract.keys import ApiKey, KeyDigest, digest_of, key_text

NOW = datetime(2026, 12, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = key_text("0a1b2c3d", "the-secret")


def stored(**fields: object) -> ApiKey:
    digests = [KeyDigest(digest=digest_of(KEY))]
    known = {"key_id": "0a1b2c3d", "user": "alice", "role": Role.USER, "created_at": NOW, "digests": digests}
    return ApiKey(**known | fields)  # type: ignore[arg-type]


def known(caller: Caller | None) -> Caller | None:
    """Without what stands for its key."""
    return None if caller is None else Caller(caller.name, caller.abilities)


def keys_with(*taken: ApiKey, may_be_open: bool = True) -> Keys:
    keys = Keys({}, frozenset(), may_be_open=may_be_open)
    for key in taken:
        keys.take(key)
    keys.is_read = True
    return keys


def test_while_there_was_never_a_key_every_request_is_from_the_local_user() -> None:
    assert keys_with().caller_of("", NOW) == LOCAL
    assert keys_with().caller_of("any text", NOW) == LOCAL
    assert (LOCAL.name, LOCAL.abilities) == ("local", FOR_ADMINS)


def test_until_the_bucket_was_read_no_request_is_from_the_local_user() -> None:
    keys = Keys({}, frozenset(), may_be_open=True)

    with pytest.raises(Transient):
        keys.caller_of("", NOW)


def test_a_key_of_the_environment_needs_no_bucket() -> None:
    keys = Keys({"first-key": "alice"}, frozenset(), may_be_open=True)

    assert known(keys.caller_of("first-key", NOW)) == Caller("alice", FOR_USERS)


@pytest.mark.parametrize("ended", [{"revoked_at": NOW}, {"expires_at": NOW}])
def test_a_gateway_that_has_seen_a_key_never_opens_again(ended: dict[str, datetime]) -> None:
    keys = keys_with(stored(**ended))

    assert keys.caller_of("", NOW) is None
    keys.drop_all()
    assert keys.caller_of("", NOW) is None
    assert not keys.lets_in(NOW)


def test_a_gateway_that_other_machines_reach_is_never_open() -> None:
    assert keys_with(may_be_open=False).caller_of("", NOW) is None


def test_a_user_may_have_several_keys_and_an_admin_may_do_everything() -> None:
    fixed = {"first-key": "alice", "second-key": "alice", "third-key": "bob"}
    keys = Keys(fixed, frozenset({"alice"}), may_be_open=False)

    alice = Caller("alice", FOR_ADMINS)
    assert [known(keys.caller_of(key, NOW)) for key in fixed] == [alice, alice, Caller("bob", FOR_USERS)]


@pytest.mark.parametrize("role", Role)
def test_a_key_has_the_abilities_of_its_role(role: Role) -> None:
    assert known(keys_with(stored(role=role)).caller_of(KEY, NOW)) == Caller("alice", ABILITIES_OF[role])


def test_scopes_take_abilities_away_and_give_none() -> None:
    keys = keys_with(stored(scopes=[Ability.TURNS_READ, Ability.ADMIN_READ]))

    assert known(keys.caller_of(KEY, NOW)) == Caller("alice", frozenset({Ability.TURNS_READ}))


def test_a_key_ends_by_the_clock_without_any_word_from_the_bucket() -> None:
    keys = keys_with(stored(expires_at=NOW + HOUR))

    assert keys.caller_of(KEY, NOW) is not None
    assert keys.caller_of(KEY, NOW + HOUR) is None


def test_a_rotated_key_is_valid_until_the_overlap_ends() -> None:
    key = stored().rotated("second", NOW, NOW + HOUR)
    keys = keys_with(stored(), key)

    for late, valid in [(timedelta(), [KEY, "second"]), (HOUR, ["second"])]:
        assert [one for one in (KEY, "second") if keys.caller_of(one, NOW + late)] == valid
    keys.take(key.rotated("third", NOW, NOW))
    assert [one for one in (KEY, "second", "third") if keys.caller_of(one, NOW)] == ["third"]


def test_a_key_that_was_erased_lets_nobody_in() -> None:
    keys = keys_with(stored())
    keys.drop("0a1b2c3d")
    keys.drop("0a1b2c3d")

    assert keys.caller_of(KEY, NOW) is None
