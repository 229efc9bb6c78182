"""One struct from others, by the names of their fields."""

import msgspec
import pytest

from shared.contract.derivation import derive


class Told(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    mood: str = "calm"
    at: int


class Person(msgspec.Struct):
    name: str
    age: int = 7

    @property
    def at(self) -> int:
        return self.age + 1


class Mood(msgspec.Struct):
    mood: str
    name: str = "nameless"


def test_each_field_comes_from_the_first_source_that_has_it() -> None:
    assert derive(Told, Person("Mira"), Mood("glad")) == Told(name="Mira", mood="glad", at=8)


def test_what_is_given_goes_before_every_source() -> None:
    assert derive(Told, Person("Mira"), Mood("glad"), name="Joana", at=3) == Told(
        name="Joana", mood="glad", at=3
    )


def test_what_no_source_has_stays_at_its_default() -> None:
    assert derive(Told, Person("Mira")).mood == "calm"


def test_a_required_field_that_no_source_has_is_an_error() -> None:
    with pytest.raises(TypeError, match="at"):
        derive(Told, Mood("glad"))


def test_a_name_that_is_no_field_is_an_error() -> None:
    with pytest.raises(TypeError, match="colour"):
        derive(Told, Person("Mira"), colour="red")
