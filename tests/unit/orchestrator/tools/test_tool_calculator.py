"""The calculator: Python's arithmetic, nothing else of Python, and no number that never ends."""

import math
import sys
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.tools.built_in.calculator import CannotCalculate, calculator, evaluate, shown
from services.orchestrator.tools.tool import Caller
from services.orchestrator.tools.toolbox import Toolbox

CALLER = Caller(user="mira", session_id="s1", turn_id="t1", turn_number=1)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("-2 ** 2", -4),
        ("2 ** -1", 0.5),
        ("2 ** 3 ** 2", 512),
        ("7 // 2 + 7 % 2", 4),
        ("-7 // 2", -4),
        ("1_000 * 1.5e3", 1_500_000.0),
        (".5 + 1.", 1.5),
        ("2^10", 1024),
        ("007 + 1__0", 17),
        ("1 +\n 2", 3),
        ("-" * 499 + "1", -1),
        ("abs(" * 99 + "1" + ")" * 99, 1),
        ("1" + "+1" * 249, 250),
        ("6 \u00d7 7 \u00f7 2", 21.0),
        ("sqrt(2) ** 2", math.sqrt(2) ** 2),
        ("max(1, 2.5, -3) + min(4, 2)", 4.5),
        ("round(2.675, 2)", 2.67),
        ("round(2.5)", 2),
        ("log(8, 2) + ln(e) + log10(100)", 6.0),
        ("factorial(20)", 2432902008176640000),
        ("sin(pi / 2)", 1.0),
        ("--3", 3),
        ("12345678901234567890 * 98765432109876543210", 12345678901234567890 * 98765432109876543210),
    ],
)
def test_it_calculates(expression: str, value: float) -> None:
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("9**9**9", "too large"),
        ("9**9**9**9", "too large"),
        ("factorial(1000)", "factorial goes up to 450"),
        ("factorial(factorial(9))", "factorial goes up to 450"),
        ("2.0 ** 100000", "too large"),
        ("10 ** 400 / 3 * 1.0", "too large"),
        ("1e308 * 10", "too large"),
        ("1e999", "too large"),
        ("(10**400) * (10**400) * (10**400) * (10**400)", "too large"),
        ("1 / 0", "division by zero"),
        ("0 ** -1", "0.0 cannot be raised"),
        ("(-8) ** (1/3)", "no real number"),
        ("sqrt(-1)", "math domain error"),
        ("", "invalid syntax at the end"),
        ("2 +", "invalid syntax at the end"),
        ("(2", "'(' was never closed at '( 2'"),
        ("2 3", "invalid syntax at '3'"),
        ("2 + * 3", "invalid syntax at '* 3'"),
        ("__import__('os')", '"\'" at character 12'),
        ("open", "there is no 'open'; there are pi, e"),
        ("pi.real", "'.' at character 3"),
        ("sqrt 4", "invalid syntax at '4'"),
        ("sqrt", "there is no 'sqrt'; there are pi, e"),
        ("True", "'True' is no arithmetic"),
        ("3,5 * 2", "'(3, 5 * 2)' is no arithmetic"),
        ("max(*pi)", "'*pi' is no arithmetic"),
        ("await e", "'await e' is no arithmetic"),
        ("sqrt(1, 2)", "exactly one argument"),
        ("[1]", "'[' at character 1"),
        ("1 if 1 else 2", "'1 if 1 else 2' is no arithmetic"),
        ("(" * 400, "too many nested parentheses"),
        ("1" * 501, "longer than 500 characters"),
        ("round(1, 10**9)", "up to 1000 digits"),
        ("\u0663", "none of numbers"),
    ],
)
def test_what_it_cannot_it_says_at_once(expression: str, said: str) -> None:
    began = time.process_time()

    with pytest.raises(CannotCalculate) as error:
        evaluate(expression)

    assert said in str(error.value)
    assert time.process_time() - began < 2


def test_a_caller_with_little_stack_left_gets_words_too() -> None:
    def below(frames: int) -> float:
        return evaluate("-" * 499 + "1") if frames == 0 else below(frames - 1)

    with pytest.raises(CannotCalculate, match="nested too deeply"):
        below(sys.getrecursionlimit() - 400)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1 + 0.2, "0.3"), (4.0, "4"), (1 / 3, "0.333333333333333"), (10**20, "1" + "0" * 20), (1e20, "1e+20")],
)
def test_a_number_is_shown_as_people_write_it(value: float, text: str) -> None:
    assert shown(value) == text


async def test_the_tool_answers_and_errs_in_words() -> None:
    box = Toolbox([calculator()])

    good = await box.run("calculator", {"expression": "17.5% 4"}, CALLER)
    bad = await box.run("calculator", {"expression": "9**9**9"}, CALLER)

    assert good.text == "17.5% 4 = 1.5"
    assert bad.is_error
    assert bad.text.startswith("9**9**9 cannot be calculated: a result is too large")


NUMBERS = st.integers(0, 10**6).map(str) | st.floats(0, 1e6, allow_nan=False).map(repr)
EXPRESSIONS = st.recursive(
    NUMBERS,
    lambda inner: (
        st.tuples(inner, st.sampled_from([" + ", "-", "*", " / ", "//", "%"]), inner).map("".join)
        | inner.map(lambda each: f"({each})")
        | inner.map(lambda each: f"-{each}")
        | st.tuples(inner, st.integers(-3, 4)).map(lambda pair: f"({pair[0]}) ** {pair[1]}")
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(EXPRESSIONS.filter(lambda text: len(text) <= 500))
def test_it_is_python_on_what_both_know(expression: str) -> None:
    try:
        mine: Any = evaluate(expression)
    except CannotCalculate as refusal:
        mine = refusal
    try:
        theirs: Any = eval(expression, {"__builtins__": {}})  # noqa: S307 -- made of digits and signs above
    except ArithmeticError:
        assert isinstance(mine, CannotCalculate)
        return
    if isinstance(mine, CannotCalculate):
        assert "large" in str(mine) or "nested" in str(mine) or "real" in str(mine)
        return
    assert mine == theirs
    assert type(mine) is type(theirs)


@settings(deadline=None)
@given(st.text() | st.text(alphabet="0123456789+-*/%().,e _^ sqrtpilogmax"))
def test_it_never_raises_anything_else(expression: str) -> None:
    try:
        value = evaluate(expression)
    except CannotCalculate:
        return
    assert math.isfinite(value)
    assert shown(value)
