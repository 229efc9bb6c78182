"""calculator: Python's arithmetic, and nothing else of Python.

Python's own parser reads the expression, and `_value` walks its tree. `_value` knows numbers, signs, a few
names and a few functions, and refuses every other node: nothing is ever executed. The size of a product or a
power is checked before it is computed, since `9**9**9` would never end.

The package simpleeval does not make this shorter. It also knows attributes, strings, comparisons and
assignments, which would have to be switched off one by one. Its limits are for exponents and texts; numbers
and factorials would still need the limits below.
"""

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec

from services.orchestrator.tools.tool import Caller, Tool, ToolResult, make_tool

Number = int | float
_LONGEST: Final = 500
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
        return _value(_parsed(" ".join(_tokens(expression))))
    except OverflowError as error:
        raise CannotCalculate(_TOO_LARGE) from error
    except (RecursionError, MemoryError) as error:
        raise CannotCalculate("it is nested too deeply; do it in steps") from error
    except (ArithmeticError, ValueError, TypeError) as error:
        raise CannotCalculate(f"{error}" or "it has no result") from error


def _tokens(expression: str) -> list[str]:
    """Numbers, names and signs. With a space between any two, Python's parser cannot read two as one."""
    tokens: list[str] = []
    at, end = 0, len(expression.rstrip())
    while at < end:
        found = _TOKEN.match(expression, at)
        if found is None:
            raise CannotCalculate(
                f"{expression[at:].strip()[:1]!r} at character {at + 1} is none of numbers, names, and "
                "+ - * / // % ** ( ) ,"
            )
        token = found[0].strip()
        tokens.append(_number(token) if found["number"] else _SIGNS.get(token, token))
        at = found.end()
    return tokens


def _number(token: str) -> str:
    """As Python writes it: it takes no 007."""
    digits = token.replace("_", "")
    return str(int(digits)) if digits.isdigit() else digits


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        rest = text[error.offset - 1 :] if error.offset else ""
        where = f"at {rest[:20]!r}" if rest else "at the end"
        raise CannotCalculate(f"{error.msg} {where}") from error


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _finite(number)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATIONS:
            return _finite(_OPERATIONS[type(sign)](_value(left), _value(right)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _finite(_FUNCTIONS[name](*map(_value, arguments)))
        case ast.Name(id=name) | ast.Call(func=ast.Name(id=name)):
            known = ", ".join([*_CONSTANTS, *(f"{function}()" for function in _FUNCTIONS)])
            raise CannotCalculate(f"there is no {name[:50]!r}; there are {known}")
    raise CannotCalculate(f"{ast.unparse(node)[:50]!r} is no arithmetic")


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


_OPERATIONS: Final[dict[type[ast.operator], Callable[[Number, Number], Number]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: _times,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
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
    """As people write it: 0.1 + 0.2 is 0.3. A float has some 15 exact digits."""
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
