"""The text of a description: its encoding, its archive, its entities."""

import codecs
import io
import zipfile

from ..writing import node, part
from .words import clause, describe, integer, put, reg, state

READ_BY_THE_REFERENCE = ("UTF-8", "UTF-16", "ASCII", "ISO-8859-1 ")
"""Encodings by their names' beginnings; XML asks for UTF-8 and UTF-16 only."""

DECLARED = 'encoding="utf-8"'


def declared(label: str | None, codec: str, mark: bytes = b""):
    """Writes a document in an encoding that it names, or does not."""

    def encode(text: str) -> bytes:
        named = f'encoding="{label}"' if label else ""
        return mark + text.replace(DECLARED, named).encode(codec)

    return encode


def zipped(method: int, *before: str):
    """Writes an archive, with other files before the document."""

    def encode(text: str) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            for name in before:
                archive.writestr(name, "nothing")
            archive.writestr("camera.xml", text)
        return out.getvalue()

    return encode


for what, encode, tip in (
    ("UTF-8 with a mark", declared("utf-8", "utf-8", codecs.BOM_UTF8), "5 \u00b5s \u6e2c"),
    ("UTF-8 without a declaration", declared(None, "utf-8"), "5 \u00b5s \u6e2c"),
    ("UTF-16 LE", declared("utf-16", "utf-16-le", codecs.BOM_UTF16_LE), "5 \u00b5s \u6e2c"),
    ("UTF-16 BE", declared("utf-16", "utf-16-be", codecs.BOM_UTF16_BE), "5 \u00b5s \u6e2c"),
    ("UTF-16 LE without a mark", declared("utf-16le", "utf-16-le"), "5 \u00b5s \u6e2c"),
    ("UTF-32 LE", declared("ucs-4", "utf-32-le", codecs.BOM_UTF32_LE), "5 \u00b5s \u6e2c"),
    ("UTF-32 BE", declared("ucs-4", "utf-32-be", codecs.BOM_UTF32_BE), "5 \u00b5s \u6e2c"),
    ("ISO-8859-1 (Latin 1)", declared("iso-8859-1", "latin-1"), "5 \u00b5s \u00e4"),
    ("windows-1252", declared("windows-1252", "cp1252"), "5 \u00b5s \u20ac \u2013"),
    ("ASCII", declared("us-ascii", "ascii"), "5 us"),
    ("Shift_JIS", declared("shift_jis", "shift_jis"), "5 \u6e2c"),
    ("GB18030", declared("gb18030", "gb18030"), "5 \u6d4b"),
    ("KOI8-R", declared("koi8-r", "koi8_r"), "5 \u043c\u0441"),
    ("ISO-8859-15", declared("iso-8859-15", "iso8859_15"), "5 \u20ac"),
):
    clause(
        f"a description in {what}",
        describe("T", tooltip=tip),
        state("T", access="RW", value=3),
        put("T", 4, writes=[(0, "00000004")], value=4),
        body=integer("T", part("ToolTip", tip), part("pValue", "R")) + reg("R"),
        memory={0: "00000003"},
        encode=encode,
        refused=""
        if what.startswith(READ_BY_THE_REFERENCE)
        else "its parser knows no such encoding",
    )
for what, encode in (
    ("deflated", zipped(zipfile.ZIP_DEFLATED)),
    ("stored", zipped(zipfile.ZIP_STORED)),
):
    clause(
        f"a description in an archive, {what}",
        state("T", access="RW", value=3),
        put("T", 4, writes=[(0, "00000004")], value=4),
        body=integer("T", part("pValue", "R")) + reg("R"),
        memory={0: "00000003"},
        encode=encode,
        suffix="zip",
    )
clause(
    "references to characters and text without markup",
    describe("T", tooltip='a<b & \u00b5 \u6e2c "c"', description="x<y&z"),
    state("T", value=-5),
    body=node(
        "Integer",
        "T",
        part("ToolTip", "a&lt;b &amp; &#181; &#x6E2C; &quot;c&quot;"),
        part("Description", "<![CDATA[x<y&z]]>"),
        "<!-- said nothing -->",
        part("Value", "-<!-- within -->5"),
    ),
)
