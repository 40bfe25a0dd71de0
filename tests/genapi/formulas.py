"""Random formulas of both kinds, as documents: what precedence and types make of them.

Only what both sides define: a formula on which the reference gives an error says nothing.
"""

import random

from .writing import document, node, part

INTEGER_OPERATORS = (
    *("+", "-", "*", "/", "%", "&", "|", "^", "**", "<<", ">>"),
    *("=", "<>", "<", ">", "<=", ">=", "&&", "||"),
)
FLOAT_OPERATORS = ("+", "-", "*", "/", "**", "=", "<>", "<", ">", "<=", ">=", "&&", "||")
INTEGER_FUNCTIONS = ("SGN", "NEG")
FLOAT_FUNCTIONS = ("SGN", "NEG", "ABS", "TRUNC", "FLOOR", "CEIL", "ATAN", "SIN", "COS")
VALUES = {"A": 21, "B": 3, "C": 8, "D": 0}
"""Variables, and their registers' values."""


def formula(rnd: random.Random, integer: bool, depth: int) -> str:
    """A formula with at most so many levels, parentheses where the mood takes it."""
    if depth == 0 or rnd.random() < 0.15:
        if rnd.random() < 0.5:
            return rnd.choice(list(VALUES))
        return (
            str(rnd.choice([0, 1, 2, 3, 7, 10]))
            if integer
            else rnd.choice(["0.5", "2", "1E1", "3.25"])
        )
    deeper = (formula(rnd, integer, depth - 1) for _ in range(3))
    kind = rnd.random()
    if kind < 0.68:
        operator = rnd.choice(INTEGER_OPERATORS if integer else FLOAT_OPERATORS)
        text = f"{next(deeper)}{rnd.choice(['', ' '])}{operator}{next(deeper)}"
        return f"({text})" if rnd.random() < 0.3 else text
    if kind < 0.78:
        return f"({next(deeper)})?({next(deeper)}):({next(deeper)})"
    if kind < 0.90:
        return f"{rnd.choice(INTEGER_FUNCTIONS if integer else FLOAT_FUNCTIONS)}({next(deeper)})"
    return f"({rnd.choice(['-', '~', '+'] if integer else ['-', '+'])}{next(deeper)})"


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def random_document(seed: int, count: int) -> tuple[str, dict[str, str]]:
    """A document of so many formulas, and these by the names of their nodes."""
    rnd = random.Random(seed)
    known, nodes = {}, []
    for i in range(count):
        integer = i % 2 == 0
        name = f"K{i}"
        known[name] = formula(rnd, integer, rnd.choice([1, 2, 2, 3]))
        variables = (part("pVariable", f"R{own}", Name=own) for own in VALUES)
        kind = "IntSwissKnife" if integer else "SwissKnife"
        nodes.append(node(kind, name, *variables, part("Formula", escaped(known[name]))))
    nodes += (node("Integer", f"R{own}", part("Value", value)) for own, value in VALUES.items())
    return document("".join(nodes) + node("Integer", "T", part("Value", 0))), known
