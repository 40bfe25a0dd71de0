"""Configuration ROMs of cameras on IEEE 1394, and what lies in them."""

from ..writing import node, part
from .words import clause, describe, put, state

QUADLETS = (
    # Bus information of four quadlets behind the first.
    "04040000 31333934 e000a002 00b09d01 00112233"
    # Root directory at 5: vendor, capabilities, a leaf that text follows, a unit directory at 10.
    " 00030000 0300b09d 0c0083c0 d1000002 00000000"
    # The unit directory: specification, version, a directory that depends on them at 14.
    " 00030000 1200a02d 13000102 d4000001"
    " 00030000 81000003 82000008 38000005"
    # Leaves at 18 and 24: specifier, language, text.
    " 00050000 00000000 00000000 506f696e 74204772 65790000"
    " 00040000 00000000 00000000 466c6561 33000000"
)
ROM = QUADLETS.replace(" ", "")


def rom(unit: str, *keys: str) -> str:
    return node(
        "ConfRom",
        "Rom",
        part("Unit", unit),
        part("Address", 0x400),
        part("Length", len(ROM) // 2),
        part("pPort", "Device"),
        *keys,
    )


KEYS = (
    node("TextDesc", "VendorName", "0x81"),
    node("TextDesc", "ModelName", "0x82"),
    node("IntKey", "Vendor", "0x03"),
    node("IntKey", "Specification", "0x12"),
    node("IntKey", "Version", "0x13"),
    node("IntKey", "Curie", "0x38"),
    node("IntKey", "Lost", "0x77"),
)

clause(
    "keys of a configuration ROM are its entries and its texts",
    describe("Rom", kind="register"),
    describe("Vendor", kind="integer"),
    describe("ModelName", kind="string"),
    state("Rom", access="RO", address=0x400, length=len(ROM) // 2),
    state("Vendor", access="RO", value=0xB09D),
    state("Specification", access="RO", value=0xA02D),
    state("Version", value=0x102),
    state("Curie", value=5),
    state("VendorName", access="RO", value="Point Grey"),
    state("ModelName", value="Flea3"),
    put("Vendor", 1, ok=False, value=0xB09D),
    put("ModelName", "x", ok=False, value="Flea3"),
    body=rom("0xA02D", *KEYS),
    memory={0x400: ROM},
)
clause(
    "a ROM's unit says which unit directory is meant",
    state("Vendor", access="RO", value=0xB09D),
    state("Lost", access="RO"),
    state("Specification", access="RO"),
    state("Curie", access="RO"),
    body=rom("0xA02E", *KEYS),
    memory={0x400: ROM},
)
