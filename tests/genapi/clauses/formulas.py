"""Formulas of integers and of floats."""

from ..writing import node, part
from .words import LEAST, MOST, clause, formula, integer, put, reg, state

INTEGER_FORMULAS = {
    "1+2*3": 7,
    "(1+2)*3": 9,
    "7/2": 3,
    "(0-7)/2": -3,
    "(0-7)%3": -1,
    "7%3": 1,
    "2**10": 1024,
    "2**3**2": 64,
    "1<<4": 16,
    "256>>4": 16,
    "6&3": 2,
    "6|3": 7,
    "6^3": 5,
    "~5": -6,
    "5=5": 1,
    "5<>5": 0,
    "5<>4": 1,
    "3>2": 1,
    "3<2": 0,
    "3>=3": 1,
    "3<=2": 0,
    "1&&0": 0,
    "1||0": 1,
    "2&&4": 1,
    "1?2:3": 2,
    "0?2:3": 3,
    "0?1:0?2:3": 3,
    "0x1F+1": 32,
    "SGN(0-5)": -1,
    "NEG(5)": -5,
    "X*2": 42,
    "-X": -21,
    "X-1": 20,
    "C+X": 121,
    "E+1": 43,
    "1=1&&2=2": 0,
    "1+1=2": 1,
    "1<<2+1": 5,
    "4|1=1": 0,
    "X>20?100:200": 100,
    "9223372036854775807": MOST,
    "0-9223372036854775807-1": LEAST,
    " ( X ) ": 21,
}
"""Over X = 21, the constant C = 100 and the expression E = 2 * X.

Powers go from the left, shifts bind closer than sums, and all bit and logical operators closer than
comparisons: the standard's text leaves that open, the reference has it, cameras depend on it.
"""

clause(
    "formulas of integers",
    *(state(f"K{i}", value=value) for i, value in enumerate(INTEGER_FORMULAS.values())),
    body="".join(
        node(
            "IntSwissKnife",
            f"K{i}",
            part("pVariable", "R", Name="X"),
            part("Constant", 100, Name="C"),
            part("Expression", "2*X", Name="E"),
            formula(text),
        )
        for i, text in enumerate(INTEGER_FORMULAS)
    )
    + reg("R"),
    memory={0: "00000015"},
)

FLOAT_FORMULAS = {
    "1+2*3": 7.0,
    "7/2": 3.5,
    "7%4": 3.0,
    "2**0.5": 2**0.5,
    "2**3**2": 64.0,
    "SIN(0)": 0.0,
    "COS(0)": 1.0,
    "TAN(0)": 0.0,
    "ASIN(1)": 1.5707963267948966,
    "ACOS(1)": 0.0,
    "ATAN(1)": 0.7853981633974483,
    "EXP(1)": 2.718281828459045,
    "LN(EXP(2))": 2.0,
    "LG(1000)": 3.0,
    "SQRT(16)": 4.0,
    "TRUNC(2.7)": 2.0,
    "TRUNC(0-2.7)": -2.0,
    "FLOOR(0-2.5)": -3.0,
    "CEIL(2.1)": 3.0,
    "ROUND(2.567,2)": 2.57,
    "ROUND(2.5,0)": 3.0,
    "ABS(0-2.5)": 2.5,
    "SGN(0-2.5)": -1.0,
    "NEG(2.5)": -2.5,
    "E": 2.718281828459045,
    "PI": 3.141592653589793,
    "1.5E3": 1500.0,
    "1e-3": 0.001,
    "2.5=2.5": 1.0,
    "2.5<>2.5": 0.0,
    "1.5>1": 1.0,
    "X*0.5": 10.5,
    "(X>20)?0.25:0.75": 0.25,
    "X/2": 10.5,
    "5&3": 1.0,
    "5|3": 7.0,
    "1<<3": 8.0,
}
"""Over X = 21."""

clause(
    "formulas of floats",
    *(state(f"K{i}", value=value) for i, value in enumerate(FLOAT_FORMULAS.values())),
    body="".join(
        node("SwissKnife", f"K{i}", part("pVariable", "R", Name="X"), formula(text))
        for i, text in enumerate(FLOAT_FORMULAS)
    )
    + reg("R"),
    memory={0: "00000015"},
)
clause(
    "a formula is read only, and has the widest limits",
    state("T", access="RO", value=22, min=LEAST, max=MOST, inc=1),
    put("T", 1, ok=False),
    state("F", access="RO", value=10.5),
    body=node("IntSwissKnife", "T", part("pVariable", "R", Name="X"), formula("X+1"))
    + node("SwissKnife", "F", part("pVariable", "R", Name="X"), formula("X/2"))
    + reg("R"),
    memory={0: "00000015"},
)
clause(
    "a formula's variable can be a limit, an increment or an entry of a node",
    state("A", value=3),
    state("B", value=90),
    state("C", value=2),
    state("D", value=20),
    state("G", value=7),
    body="".join(
        node(
            "IntSwissKnife", name, part("pVariable", target, Name=f"X.{what}"), formula(f"X.{what}")
        )
        for name, target, what in (
            ("A", "I", "Min"),
            ("B", "I", "Max"),
            ("C", "I", "Inc"),
            ("D", "Q", "Entry.Two"),
            ("G", "I", "Value"),
        )
    )
    + integer("I", part("Value", 7), part("Min", 3), part("Max", 90), part("Inc", 2))
    + node(
        "Enumeration",
        "Q",
        node("EnumEntry", "One", part("Value", 10)),
        node("EnumEntry", "Two", part("Value", 20)),
        part("Value", 10),
    ),
)
clause(
    "a formula that divides by nothing is an error, and nothing else",
    state("T", access="RO"),
    state("U", value=5),
    body=node("IntSwissKnife", "T", part("pVariable", "R", Name="X"), formula("1/X"))
    + integer("U", part("Value", 5))
    + reg("R"),
)
