"""Small descriptions, written part by part."""

HEAD = (
    '<RegisterDescription ModelName="M" VendorName="V" ToolTip="" StandardNameSpace="None" '
    'SchemaMajorVersion="1" SchemaMinorVersion="1" SchemaSubMinorVersion="0" MajorVersion="1" '
    'MinorVersion="0" SubMinorVersion="0" ProductGuid="0" VersionGuid="0" '
    'xmlns="http://www.genicam.org/GenApi/Version_1_1">'
)
PORT = '<Port Name="Device"/>'


def document(body: str, before: str = "") -> str:
    """A description with these nodes, the category that lists ``T`` and a port."""
    root = '<Category Name="Root"><pFeature>T</pFeature></Category>'
    declaration = '<?xml version="1.0" encoding="utf-8"?>'
    return f"{declaration}{before}{HEAD}{root}{body}{PORT}</RegisterDescription>"


def node(kind: str, name: str | None, *parts: str) -> str:
    """A node; a StructReg has a comment in place of a name."""
    named = f' Name="{name}"' if name else ' Comment=""'
    return f"<{kind}{named}>{''.join(parts)}</{kind}>"


def part(tag: str, text: object, **attributes: object) -> str:
    shown = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f"<{tag}{shown}>{text}</{tag}>"


def register(name: str, *parts: str, kind="IntReg", address="0x10", length="4") -> str:
    where = part("Address", address) if address is not None else ""
    access = part("AccessMode", "RW") + part("pPort", "Device")
    meaning = part("Sign", "Unsigned") + part("Endianess", "BigEndian") if "Int" in kind else ""
    return node(kind, name, where, part("Length", length), access, *parts, meaning)


def knife(name: str, formula: str, *variables: tuple[str, str], kind="IntSwissKnife") -> str:
    named = "".join(part("pVariable", target, Name=own) for own, target in variables)
    return node(kind, name, named, part("Formula", formula))
