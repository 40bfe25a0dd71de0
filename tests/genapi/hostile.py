"""Documents that mean harm: no camera sends them, and any camera could.

    python -m tests.genapi.hostile      # runs all and prints what came of each

Each must end in an error or in values, on a stack of 512 KiB. The node to ask for is called ``T``.
"""

import json
import sys
import tempfile
from pathlib import Path

from . import ours
from .hostile_texts import texts, zips
from .writing import PORT, document, knife, node, part, register


def name(i: int) -> str:
    return f"N{i}" if i else "T"


def integer(own: str, *references: tuple[str, str]) -> str:
    return node("Integer", own, *(part(tag, target) for tag, target in references))


def formulas() -> dict[str, str]:
    """Formulas of great depth, great length, and numbers at the edge of 64 bits."""
    least = "(0-9223372036854775807-1)"
    texts = {
        "parentheses": "(" * 120_000 + "1" + ")" * 120_000,
        "unclosed_parentheses": "(" * 120_000,
        "a_sum_of_300000_terms": "1+" * 300_000 + "1",
        "signs": "-" * 250_000 + "1",
        "complements": "~" * 250_000 + "1",
        "nested_conditions": "1?" * 60_000 + "1" + ":0" * 60_000,
        "conditions_in_the_else": "0?1:" * 60_000 + "1",
        "powers_of_powers": "2**" * 20_000 + "2",
        "a_tower_of_powers": "9**9**9**9",
        "functions_in_functions": "ABS(" * 50_000 + "1" + ")" * 50_000,
        "shift_by_more_than_there_is": "1<<200",
        "shift_by_less_than_nothing": "1>>(0-5)",
        "division_by_zero": "1/0",
        "remainder_by_zero": "1%0",
        "least_by_minus_one": f"{least}/(0-1)",
        "remainder_of_least_by_minus_one": f"{least}%(0-1)",
        "product_too_great": "9223372036854775807*9223372036854775807",
        "number_too_great": "9" * 5000,
        "exponent_too_great": "1E999999999999",
        "nothing": "",
        "noise": ")(+*&&||<>?::%%",
        "name_that_is_not_there": "Y+1",
        "names_of_great_length": "X" * 500_000,
    }
    made = {}
    for what, formula in texts.items():
        escaped = formula.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        made[f"formula_{what}"] = document(knife("T", escaped))
        if len(formula) < 100:
            made[f"float_formula_{what}"] = document(knife("T", escaped, kind="SwissKnife"))
    return made


def cycles() -> dict[str, str]:
    """A cycle of every kind of reference."""
    made = {}
    for tag in (
        "pValue",
        "pMin",
        "pMax",
        "pInc",
        "pIsImplemented",
        "pIsAvailable",
        "pIsLocked",
        "pValueDefault",
    ):
        own = "" if tag == "pValue" else part("Value", 1)
        for kind in ("Integer", "Float"):
            made[f"{kind}_{tag}_itself".lower()] = document(node(kind, "T", own, part(tag, "T")))
        two = node("Integer", "T", own, part(tag, "U")) + node("Integer", "U", own, part(tag, "T"))
        made[f"{tag}_of_two".lower()] = document(two)
    for kind in ("Boolean", "String", "Command", "Enumeration"):
        entry = node("EnumEntry", "A", part("Value", 0)) if kind == "Enumeration" else ""
        command = part("CommandValue", 1) if kind == "Command" else ""
        made[f"{kind}_of_itself".lower()] = document(
            node(kind, "T", entry, part("pValue", "T"), command)
        )
    for tag in (
        "pAddress",
        "pLength",
        "pIndex",
        "pInvalidator",
        "pPort",
        "pSelected",
        "pBlockPolling",
    ):
        length = part("pLength", "T") if tag == "pLength" else part("Length", 4)
        reference = "" if tag == "pLength" else part(tag, "T")
        made[f"register_{tag}_itself".lower()] = document(
            node(
                "IntReg",
                "T",
                part("Address", 0),
                reference,
                length,
                part("AccessMode", "RW"),
                part("pPort", "Device"),
            )
        )
    made["selectors_of_each_other"] = document(
        node("Integer", "T", part("Value", 1), part("pSelected", "U"))
        + node("Integer", "U", part("Value", 1), part("pSelected", "T"))
    )
    made["index_of_itself"] = document(
        node(
            "Integer",
            "T",
            part("pIndex", "T"),
            part("pValueIndexed", "T", Index=0),
            part("pValueDefault", "T"),
        )
    )
    made["copies_of_each_other"] = document(
        node("Integer", "T", part("pValue", "R"), part("pValueCopy", "U"))
        + node("Integer", "U", part("pValue", "R"), part("pValueCopy", "T"))
        + register("R")
    )
    made["formulas_of_each_other"] = document(
        knife("T", "X+1", ("X", "U")) + knife("U", "X+1", ("X", "T"))
    )
    for kind, other in (
        ("Converter", "Converter"),
        ("IntConverter", "IntConverter"),
        ("Converter", "IntConverter"),
    ):
        both = "".join(
            node(k, a, part("FormulaTo", "FROM"), part("FormulaFrom", "TO"), part("pValue", b))
            for k, a, b in ((kind, "T", "U"), (other, "U", "T"))
        )
        made[f"{kind}_and_{other}_of_each_other".lower()] = document(both)
    made["converter_with_itself_as_variable"] = document(
        node(
            "IntConverter",
            "T",
            part("pVariable", "T", Name="V"),
            part("FormulaTo", "FROM+V"),
            part("FormulaFrom", "TO+V"),
            part("pValue", "R"),
        )
        + register("R")
    )
    made["formula_of_its_own_limit"] = document(
        node("Integer", "T", part("pValue", "R"), part("pMax", "K"))
        + knife("K", "X.Max+1", ("X.Max", "T"))
        + register("R")
    )
    made["entry_that_asks_its_enumeration"] = document(
        node(
            "Enumeration",
            "T",
            node("EnumEntry", "A", part("Value", 0), part("pIsAvailable", "K")),
            part("pValue", "R"),
        )
        + knife("K", "X=0", ("X", "T"))
        + register("R")
    )
    made["entries_by_each_others_names"] = document(
        node(
            "Enumeration",
            "T",
            node("EnumEntry", "A", part("Value", 0), part("pIsImplemented", "K")),
            part("pValue", "R"),
        )
        + knife("K", "X.Entry.A", ("X.Entry.A", "T"))
        + register("R")
    )
    made["categories_of_each_other"] = document(
        node("Category", "T", part("pFeature", "U"))
        + node("Category", "U", part("pFeature", "T"), part("pFeature", "Root"))
    )
    made["category_of_itself"] = document(node("Category", "T", *[part("pFeature", "T")] * 100))
    made["aliases_of_each_other"] = document(
        node("Integer", "T", part("pAlias", "U"), part("pCastAlias", "U"), part("Value", 1))
        + node("Integer", "U", part("pAlias", "T"), part("pCastAlias", "T"), part("Value", 1))
    )
    made["port_behind_itself"] = document(integer("T", ("pValue", "R")) + register("R")).replace(
        PORT, node("Port", "Device", part("pIsAvailable", "T"), part("pChunkID", "T"))
    )
    made["invalidators_in_a_ring"] = document(
        "".join(
            register(name(i), part("pInvalidator", name((i + 1) % 500)), address=str(4 * i))
            for i in range(500)
        )
    )
    return made


def chains() -> dict[str, str]:
    """References that go deep, and those that multiply."""
    last = 20_000
    made = {
        "chain_of_values": document(
            "".join(integer(name(i), ("pValue", name(i + 1))) for i in range(last))
            + register(name(last))
        ),
        "chain_of_values_backwards": document(
            register(name(last))
            + "".join(integer(name(i), ("pValue", name(i + 1))) for i in reversed(range(last)))
        ),
        "chain_of_predicates": document(
            "".join(
                node(
                    "Integer",
                    name(i),
                    part("pIsAvailable", name(i + 1)),
                    part("pIsLocked", name(i + 1)),
                    part("Value", 1),
                )
                for i in range(10_000)
            )
            + register(name(10_000))
        ),
        "chain_of_formulas": document(
            "".join(knife(name(i), "X+1", ("X", name(i + 1))) for i in range(8000))
            + register(name(8000))
        ),
        "chain_of_float_converters": document(
            "".join(
                node(
                    "Converter",
                    name(i),
                    part("FormulaTo", "FROM/2"),
                    part("FormulaFrom", "TO*2"),
                    part("pValue", name(i + 1)),
                )
                for i in range(5000)
            )
            + register(name(5000))
        ),
        "chain_of_addresses": document(
            "".join(
                register(name(i), part("pAddress", name(i + 1)), address="1") for i in range(8000)
            )
            + register(name(8000))
        ),
        "chain_of_limits": document(
            "".join(
                node(
                    "Integer",
                    name(i),
                    part("Value", 1),
                    part("pMin", name(i + 1)),
                    part("pMax", name(i + 1)),
                )
                for i in range(60)
            )
            + integer(name(60), ("Value", "1"))
        ),
        "chain_of_categories": document(
            "".join(node("Category", name(i), part("pFeature", name(i + 1))) for i in range(20_000))
            + integer(name(20_000), ("Value", "1"))
        ),
        "chain_of_invalidators": document(
            "".join(
                register(name(i), part("pInvalidator", name(i + 1)), address=str(4 * i))
                for i in range(15_000)
            )
            + register(name(15_000))
        ),
        "formulas_that_double": document(
            "".join(
                knife(name(i), "X+Y", ("X", name(i + 1)), ("Y", name(i + 1))) for i in range(40)
            )
            + register(name(40))
        ),
        "uncached_formulas_that_double": document(
            "".join(
                node(
                    "IntSwissKnife",
                    name(i),
                    part("pVariable", name(i + 1), Name="X"),
                    part("pVariable", name(i + 1), Name="Y"),
                    part("Formula", "X*1+Y"),
                )
                for i in range(40)
            )
            + register(name(40), part("Cachable", "NoCache"))
        ),
        "limits_that_triple": document(
            "".join(
                integer(
                    name(i), ("pValue", name(i + 1)), ("pMin", name(i + 1)), ("pMax", name(i + 1))
                )
                for i in range(32)
            )
            + register(name(32))
        ),
        "predicates_that_triple": document(
            "".join(
                node(
                    "Integer",
                    name(i),
                    *(
                        part(p, name(i + 1))
                        for p in ("pIsImplemented", "pIsAvailable", "pIsLocked")
                    ),
                    part("Value", 1),
                )
                for i in range(32)
            )
            + integer(name(32), ("Value", "1"))
        ),
        "copies_that_triple": document(
            "".join(
                integer(
                    name(i),
                    ("pValue", name(i + 1)),
                    ("pValueCopy", name(i + 1)),
                    ("pValueCopy", name(i + 1)),
                )
                for i in range(24)
            )
            + register(name(24))
        ),
        "enumerations_of_enumerations": document(
            "".join(
                node(
                    "Enumeration",
                    name(i),
                    *(
                        node(
                            "EnumEntry",
                            f"E{k}",
                            part("Value", k),
                            part("pIsAvailable", name(i + 1)),
                        )
                        for k in range(4)
                    ),
                    part("pValue", name(i + 1)),
                )
                for i in range(16)
            )
            + register(name(16))
        ),
    }
    return made


def sizes() -> dict[str, str]:
    """Lengths, counts and addresses that no register has."""
    numbers = {
        "length_of_4_gib": "0xFFFFFFFF",
        "length_of_all": "0xFFFFFFFFFFFFFFFF",
        "length_beyond_numbers": "9" * 40,
        "length_of_nothing": "0",
        "length_below_nothing": "-4",
        "length_without_meaning": "0xZZ",
        "length_of_nine": "9",
    }
    made = {}
    for what, length in numbers.items():
        for kind in ("Register", "IntReg", "StringReg", "FloatReg"):
            made[f"{kind}_{what}".lower()] = document(register("T", kind=kind, length=length))
    made["address_at_the_end"] = document(
        register("T", address="0xFFFFFFFFFFFFFFFC", length="16", kind="Register")
    )
    made["addresses_that_overflow"] = document(
        register(
            "T",
            part("Address", "0x7FFFFFFFFFFFFFFF"),
            part("Address", "0x7FFFFFFFFFFFFFFF"),
            address="0x7FFFFFFFFFFFFFFF",
        )
    )
    made["bits_that_are_not_there"] = document(
        register("T", part("LSB", 9999), part("MSB", 3), kind="MaskedIntReg")
    )
    made["bits_below_nothing"] = document(register("T", part("Bit", -1), kind="MaskedIntReg"))
    made["a_struct_with_a_thousand_bits"] = document(
        node(
            "StructReg",
            None,
            part("Address", 0),
            part("Length", 4),
            part("AccessMode", "RW"),
            part("pPort", "Device"),
            part("Endianess", "LittleEndian"),
            *(node("StructEntry", name(i), part("Bit", i)) for i in range(1000)),
        )
    )
    made["60000_entries"] = document(
        node(
            "Enumeration",
            "T",
            *(node("EnumEntry", f"E{i}", part("Value", i)) for i in range(60_000)),
            part("pValue", "R"),
        )
        + register("R")
    )
    made["60000_entries_of_one_value"] = document(
        node(
            "Enumeration",
            "T",
            *(node("EnumEntry", f"E{i}", part("Value", 7)) for i in range(60_000)),
            part("Value", 7),
        )
    )
    made["600_selectors_of_600"] = document(
        "".join(
            node(
                "Integer",
                name(i),
                *(part("pSelected", name(j)) for j in range(600) if i != j),
                part("pValue", "R"),
            )
            for i in range(600)
        )
        + register("R")
    )
    made["600_invalidators_of_600"] = document(
        "".join(
            register(
                name(i),
                *(part("pInvalidator", name(j)) for j in range(600) if i != j),
                address=str(4 * i),
            )
            for i in range(600)
        )
    )
    made["40000_variables"] = document(
        knife(
            "T", "+".join(f"V{i}" for i in range(40_000)), *((f"V{i}", "R") for i in range(40_000))
        )
        + register("R")
    )
    made["40000_addresses"] = document(register("T", *[part("Address", 1)] * 40_000, address="0"))
    made["40000_indexed_values"] = document(
        node(
            "Integer",
            "T",
            part("pIndex", "R"),
            *(part("ValueIndexed", i, Index=i) for i in range(40_000)),
            part("ValueDefault", 0),
        )
        + register("R")
    )
    made["a_valid_value_set_of_100000"] = document(
        node(
            "Integer",
            "T",
            part("Value", 1),
            part("ValidValueSet", ";".join(map(str, range(100_000)))),
        )
    )
    made["twins"] = document("".join(integer("T", ("Value", str(i))) for i in range(1000)))
    made["a_name_of_a_megabyte"] = document(integer("T", ("pValue", "n" * 1_000_000)))
    made["numbers_without_meaning"] = document(
        node(
            "Integer",
            "T",
            part("Value", "many"),
            part("Min", "-"),
            part("Max", "1e"),
            part("Inc", "0"),
        )
    )
    made["increment_of_nothing"] = document(
        node("Integer", "T", part("Value", 5), part("Inc", 0), part("Min", 1), part("Max", 9))
    )
    made["limits_the_wrong_way_round"] = document(
        node(
            "Integer",
            "T",
            part("Value", 5),
            part("Min", 9223372036854775807),
            part("Max", -9223372036854775808),
        )
    )
    made["float_limits_without_numbers"] = document(
        node(
            "Float",
            "T",
            part("Value", "NaN"),
            part("Min", "INF"),
            part("Max", "-INF"),
            part("Inc", "NaN"),
        )
    )
    made["references_to_nothing"] = document(
        node(
            "Integer",
            "T",
            *(
                part(tag, "Gone")
                for tag in ("pIsAvailable", "pValue", "pMin", "pMax", "pInc", "pSelected")
            ),
        )
    )
    made["references_to_the_wrong_kind"] = document(
        integer("T", ("pValue", "Root"), ("pMin", "Device"), ("pIsLocked", "Root"))
    )
    return made


def everything() -> dict[str, bytes]:
    """All hostile documents by name."""
    plain = formulas() | cycles() | chains() | sizes()
    return {what: text.encode() for what, text in plain.items()} | texts() | zips()


def operations() -> list[dict]:
    """Everything that can be asked of ``T`` and what it hangs on."""
    ops: list[dict] = [{"op": "nodes"}]
    for who in ("T", "U", "R", "N1", "N5", "S", "Root"):
        ops += [{"op": "describe", "node": who}, {"op": "state", "node": who}]
        ops += [
            {"op": "set", "node": who, "value": v}
            for v in (1, True, {"float": "3ff8" + "0" * 12}, {"text": "E1"})
        ]
    return [*ops, {"op": "poll", "ms": 1000}, {"op": "reset"}, {"op": "state", "node": "T"}]


def attack(path: Path, patience_s: float = 60) -> tuple[float, str]:
    """Seconds, and what came of a document; raises where the driver died or gave no answer."""
    image = {"rule": "small_big", "seed": 3, "bytes": {}}
    done = ours.run(str(path), image, operations(), hostile=True, patience_s=patience_s)
    if done.returncode:
        raise AssertionError(f"{path.name}: died ({done.returncode}): {done.stderr[-500:]}")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    if "refused" in rows[0]:
        return done.took_s, f"refused: {rows[0]['refused']}"
    assert len(rows) == len(operations()) + 1, f"{path.name}: {len(rows)} answers"
    return done.took_s, json.dumps(rows[3].get("answer"))


def main() -> int:
    worst, died = 0.0, 0
    ours.driver()
    with tempfile.TemporaryDirectory() as scratch:
        made = everything()
        for what, data in made.items():
            path = Path(scratch) / what
            path.write_bytes(data)
            try:
                took_s, came = attack(path)
            except Exception as error:
                died, took_s, came = died + 1, 0.0, f"!!! {error}"
            worst = max(worst, took_s)
            print(f"{took_s:7.3f} s  {what:48} {came[:150]}")
    print(f"{len(made) - died} of {len(made)} survived; the slowest took {worst:.3f} s")
    return int(died > 0)


if __name__ == "__main__":
    sys.exit(main())
