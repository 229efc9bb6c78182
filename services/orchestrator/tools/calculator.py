"""calculator: arithmetic as Python does it, without Python: nothing is ever executed.

The grammar, each line binding more tightly than the one above:

    sum     = product (("+" | "-") product)*
    product = unary (("*" | "/" | "//" | "%") unary)*
    unary   = ("+" | "-") unary | power
    power   = atom ("**" unary)?
    atom    = number | constant | function "(" sum ("," sum)* ")" | "(" sum ")"
"""

import math
import re
from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec

from services.orchestrator.tools.tool import Caller, Tool, ToolResult, make_tool

Number = int | float
_LONGEST: Final = 500
_DEEPEST: Final = 40
_MOST_BITS: Final = 4096
"""Of a whole number: some 1200 digits."""
_MOST_FACTORIAL: Final = 450
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\*\*|//|[-+*/%(),^\u00d7\u00f7]))",
    re.ASCII,
)
_TOO_LARGE: Final = "a result is too large; use smaller numbers"
_SIGNS: Final = {"^": "**", "\u00d7": "*", "\u00f7": "/"}
_CONSTANTS: Final[dict[str, Number]] = {"pi": math.pi, "e": math.e, "tau": math.tau}


class CannotCalculate(Exception):
    """The message says where it went wrong."""


def evaluate(expression: str) -> Number:
    """Raises CannotCalculate, and nothing else."""
    if len(expression) > _LONGEST:
        raise CannotCalculate(f"it is longer than {_LONGEST} characters; do it in steps")
    try:
        return _finite(_Parser(_tokens(expression)).whole())
    except OverflowError as error:
        raise CannotCalculate(_TOO_LARGE) from error
    except (ArithmeticError, ValueError, TypeError) as error:
        raise CannotCalculate(f"{error}" or "it has no result") from error


def _tokens(expression: str) -> list[str]:
    tokens: list[str] = []
    at, end = 0, len(expression.rstrip())
    while at < end:
        found = _TOKEN.match(expression, at)
        if found is None:
            raise CannotCalculate(
                f"{expression[at:].strip()[:1]!r} at character {at + 1} is none of numbers, names, and "
                "+ - * / // % ** ( ) ,"
            )
        tokens.append(_SIGNS.get(found[0].strip(), found[0].strip()))
        at = found.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Number:
        result = self._sum()
        if self._next:
            raise CannotCalculate(f"{self._next!r} does not belong where it stands (part {self._at + 1})")
        return result

    @property
    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1] if self._at <= len(self._tokens) else ""

    def _expect(self, token: str) -> None:
        found = self._take()
        if found != token:
            raise CannotCalculate(
                f"{token!r} is missing" + (f" before {found!r}" if found else " at the end")
            )

    def _sum(self) -> Number:
        result = self._product()
        while self._next in ("+", "-"):
            sign = self._take()
            result = _finite(_SUMS[sign](result, self._product()))
        return result

    def _product(self) -> Number:
        result = self._unary()
        while self._next in _PRODUCTS:
            sign = self._take()
            result = _finite(_PRODUCTS[sign](result, self._unary()))
        return result

    def _unary(self) -> Number:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise CannotCalculate(f"it is nested more than {_DEEPEST} times; do it in steps")
        try:
            if self._next not in ("+", "-"):
                return self._power()
            return self._unary() if self._take() == "+" else -self._unary()
        finally:
            self._depth -= 1

    def _power(self) -> Number:
        base = self._atom()
        if self._next != "**":
            return base
        self._take()
        return _finite(_power(base, self._unary()))

    def _atom(self) -> Number:
        part = self._take()
        if part == "(":
            result = self._sum()
            self._expect(")")
            return result
        if part[:1].isdigit() or part[:1] == ".":
            return _number(part)
        if part in _CONSTANTS:
            return _CONSTANTS[part]
        if part in _FUNCTIONS:
            return self._call(part)
        if part[:1].isalpha() or part[:1] == "_":
            known = ", ".join([*_CONSTANTS, *_FUNCTIONS])
            raise CannotCalculate(f"there is no {part[:50]!r}; there are {known}")
        raise CannotCalculate("a number is missing" + (f" before {part!r}" if part else " at the end"))

    def _call(self, name: str) -> Number:
        self._expect("(")
        values = [self._sum()]
        while self._next == ",":
            self._take()
            values.append(self._sum())
        self._expect(")")
        return _finite(_FUNCTIONS[name](*values))


def _number(token: str) -> Number:
    digits = token.replace("_", "")
    return int(digits) if digits.isdigit() else _finite(float(digits))


def _times(one: Number, other: Number) -> Number:
    if isinstance(one, int) and isinstance(other, int):
        _small_enough(one.bit_length() + other.bit_length() - 1)
    return one * other


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0 and abs(base) > 1:
        _small_enough((abs(base).bit_length() - 1) * exponent)
    result: Any = base**exponent
    if isinstance(result, complex):
        raise CannotCalculate("a root of a negative number is no real number")
    real: Number = result
    return real


def _factorial(value: Number) -> int:
    if value > _MOST_FACTORIAL:
        raise CannotCalculate(f"factorial goes up to {_MOST_FACTORIAL}")
    if isinstance(value, float) and not value.is_integer():
        raise CannotCalculate("factorial wants a whole number")
    return math.factorial(int(value))


def _round(value: Number, digits: Number = 0) -> Number:
    if abs(digits) > 1_000:
        raise CannotCalculate("round takes up to 1000 digits")
    return round(value, int(digits)) if digits else round(value)


def _extreme(choose: Callable[..., Number]) -> Callable[..., Number]:
    return lambda *values: choose(values)


def _small_enough(bits: int) -> None:
    if bits > _MOST_BITS:
        raise CannotCalculate(_TOO_LARGE)


def _finite(value: Number) -> Number:
    if isinstance(value, int):
        _small_enough(value.bit_length())
    elif not math.isfinite(value):
        raise CannotCalculate(_TOO_LARGE)
    return value


_SUMS: Final[dict[str, Callable[[Number, Number], Number]]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
}
_PRODUCTS: Final[dict[str, Callable[[Number, Number], Number]]] = {
    "*": _times,
    "/": lambda one, other: one / other,
    "//": lambda one, other: one // other,
    "%": lambda one, other: one % other,
}
_FUNCTIONS: Final[dict[str, Callable[..., Number]]] = {
    "abs": abs,
    "round": _round,
    "floor": math.floor,
    "ceil": math.ceil,
    "min": _extreme(min),
    "max": _extreme(max),
    "sqrt": math.sqrt,
    "exp": math.exp,
    "ln": math.log,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "degrees": math.degrees,
    "radians": math.radians,
    "factorial": _factorial,
}


class CalculatorArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    expression: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=_LONGEST,
            description="with + - * / // % ** ( ), pi, e, sqrt, log, sin, round, min, max ...: (3 + 4) * 2.5",
        ),
    ]


async def _calculate(arguments: CalculatorArguments, caller: Caller) -> ToolResult:
    try:
        value = evaluate(arguments.expression)
    except CannotCalculate as error:
        return ToolResult(text=f"{arguments.expression} cannot be calculated: {error}.", is_error=True)
    return ToolResult(text=f"{arguments.expression} = {shown(value)}")


def shown(value: Number) -> str:
    """As people write it: 0.1 + 0.2 is 0.3. A float holds some 15 digits."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value) if isinstance(value, int) else f"{value:.15g}"


def calculator() -> Tool:
    return make_tool(
        "calculator",
        "Calculates exactly; use it for any arithmetic.",
        "read",
        CalculatorArguments,
        _calculate,
    )
