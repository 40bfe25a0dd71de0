"""Documents that mean harm by their text itself, and archives that lie."""

import io
import zipfile

from .writing import HEAD, document, node, part

VALUE = node("Integer", "T", part("Value", 1))


def texts() -> dict[str, bytes]:
    """What is wrong with the text itself."""
    plain = document(VALUE)
    many = " ".join(f"a{i}=''" for i in range(200_000))
    deep = "<a>" * 400_000 + "</a>" * 400_000
    tens = (f"&{chr(97 + k)};" * 10 for k in range(12))
    laughs = "".join(f'<!ENTITY {chr(98 + k)} "{ten}">' for k, ten in enumerate(tens))
    made = {
        "entity_bomb": document(
            node("Integer", "T", part("ToolTip", "&m;"), part("Value", 1)),
            f'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">{laughs}]>',
        ),
        "entity_of_itself": document(
            node("Integer", "T", part("ToolTip", "&a;"), part("Value", 1)),
            '<!DOCTYPE r [<!ENTITY a "&b;"><!ENTITY b "&a;">]>',
        ),
        "entity_from_a_file": document(
            node("Integer", "T", part("ToolTip", "&a;"), part("Value", 1)),
            '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        ),
        "long_entity_often": document(
            node("Integer", "T", part("ToolTip", "&a;" * 5000), part("Value", 1)),
            f'<!DOCTYPE r [<!ENTITY a "{"x" * 20000}">]>',
        ),
        "elements_in_elements": document(
            node("Integer", "T", part("Extension", deep), part("Value", 1))
        ),
        "groups_in_groups": document('<Group Comment="">' * 50_000 + VALUE + "</Group>" * 50_000),
        "elements_that_never_end": document("<Integer Name='T'>" * 100_000),
        "cut_off": plain[:-40],
        "cut_off_in_a_value": plain[: plain.index("<Value>") + 8],
        "cut_off_in_a_tag": plain[: plain.index("<Value>") + 3],
        "control_characters": document(
            node("Integer", "T", part("ToolTip", "\x00\x01"), part("Value", 1))
        ),
        "characters_that_are_not_there": document(
            node("Integer", "T", part("ToolTip", "&#0;&#xD800;&#99999999;"), part("Value", 1))
        ),
        "200000_attributes": document(f"<Integer Name='T' {many}><Value>1</Value></Integer>"),
        "a_comment_of_megabytes": document(f"<!--{'x' * 3_000_000}-->" + VALUE),
        "empty": "",
        "spaces": " \n" * 1000,
        "not_xml": "MZ" + "\x90\x00" * 5000,
        "another_root": '<?xml version="1.0"?><html/>',
        "no_nodes": f"{HEAD}</RegisterDescription>",
    }
    made = {what: text.encode() for what, text in made.items()}
    made["bytes_that_are_no_utf8"] = plain.replace('"V"', '"\udcff\udcfe"').encode(
        errors="surrogateescape"
    )
    made["utf16_cut_in_a_character"] = plain.encode("utf-16")[:-1]
    made["utf16_that_says_utf8"] = plain.encode("utf-16-be")
    made["encoding_nobody_knows"] = plain.replace("utf-8", "x-mars").encode()
    made["noise"] = bytes((i * 2654435761 >> 13) & 0xFF for i in range(100_000))
    return made


def zips() -> dict[str, bytes]:
    """Archives that lie."""
    good = archive({"a.xml": document(VALUE).encode()})
    bomb = archive(
        {
            "a.xml": document(
                node("Integer", "T", part("ToolTip", " " * 120_000_000), part("Value", 1))
            ).encode()
        }
    )
    broken = bytearray(good)
    broken[len(good) // 3] ^= 0xFF
    return {
        "zip_cut_off": good[: len(good) // 2],
        "zip_without_its_directory": good[:-22],
        "zip_with_a_broken_stream": bytes(broken),
        "zip_bomb": bomb,
        "zip_of_nothing": archive({}),
        "zip_of_20000_files": archive({f"{i}.xml": b"" for i in range(20_000)}),
        "zip_in_a_zip": archive({"a.zip": good}),
        "zip_of_noise": b"PK\x03\x04" + bytes((i * 97) & 0xFF for i in range(5000)),
    }


def archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as opened:
        for member, data in members.items():
            opened.writestr(member, data)
    return out.getvalue()
