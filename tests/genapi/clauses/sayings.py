"""What a description says of its nodes."""

from ..writing import node, part
from .words import clause, describe, integer

clause(
    "what is said of a node",
    describe(
        "T",
        kind="integer",
        tooltip="short",
        description="long",
        display_name="A name",
        visibility="Guru",
        deprecated=True,
        streamable=True,
        unit="mm",
        representation="HexNumber",
        alias="F",
        cast_alias="F",
    ),
    describe("Root", kind="category", children=["T"]),
    describe("F", kind="float", visibility="Beginner", display_name="F", tooltip=""),
    body=integer(
        "T",
        part("ToolTip", "short"),
        part("Description", "long"),
        part("DisplayName", "A name"),
        part("Visibility", "Guru"),
        part("IsDeprecated", "Yes"),
        part("pAlias", "F"),
        part("pCastAlias", "F"),
        part("Streamable", "Yes"),
        part("Value", 1),
        part("Unit", "mm"),
        part("Representation", "HexNumber"),
    )
    + node("Float", "F", part("Value", 1.0)),
)
clause(
    "units and representations come up from what a node forwards",
    describe("T", unit="mm", representation="HexNumber"),
    describe("U", unit="in"),
    describe("V", unit="mm"),
    body=integer("T", part("pValue", "I"))
    + integer("U", part("pValue", "I"), part("Unit", "in"))
    + node("Float", "V", part("pValue", "I"))
    + integer("I", part("Value", 1), part("Unit", "mm"), part("Representation", "HexNumber")),
)
clause(
    "a category lists its features in order",
    describe("Root", children=["T"]),
    describe("T", children=["B", "A", "C"]),
    body=node("Category", "T", part("pFeature", "B"), part("pFeature", "A"), part("pFeature", "C"))
    + "".join(integer(name, part("Value", 1)) for name in "ABC"),
)
clause(
    "an imposed visibility hides more and never less",
    describe("T", visibility="Guru"),
    describe("U", visibility="Expert"),
    describe("V", visibility="Guru"),
    body=integer(
        "T", part("Visibility", "Beginner"), part("ImposedVisibility", "Guru"), part("Value", 1)
    )
    + integer(
        "U", part("Visibility", "Expert"), part("ImposedVisibility", "Beginner"), part("Value", 1)
    )
    + integer("V", part("Visibility", "Guru"), part("Value", 1)),
    refused="its schema has the word and its parser takes it nowhere",
)
