"""A plan as a page: its figures, and three parts on their way in time and distance."""

from html import escape
from typing import Any

_WIDTH, _HEIGHT = 920, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 40, 48
_PARTS = 3

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;
  color:#1c2330}
table{border-collapse:collapse;width:100%;margin:1rem 0}
td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #dde2ea;vertical-align:top}
th{font-weight:600;white-space:nowrap}td.n{font-variant-numeric:tabular-nums;white-space:nowrap}
.refused{background:#fdecea;border-left:4px solid #c0392b;padding:.6rem 1rem}
.works{background:#e9f6ee;border-left:4px solid #2e8b57;padding:.6rem 1rem}
svg{width:100%;height:auto;font:12px system-ui,sans-serif}
"""


def page(found: dict[str, Any], title: str) -> str:
    """The plan of a line as one HTML page that refers to nothing outside itself."""
    verdict = (
        '<p class="refused"><b>This line cannot work as it stands.</b> '
        f"{escape(found['refused'])}</p>"
        if found["refused"]
        else '<p class="works"><b>This line can work</b> at its greatest speed with its least gap.'
        "</p>"
    )
    rows = "".join(
        f'<tr><th>{escape(name)}</th><td class="n">{escape(figure)}</td><td>{escape(why)}</td></tr>'
        for name, figure, why in _rows(found)
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>Plan of {escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>Plan of {escape(title)}</h1>{verdict}"
        f"<p>{found['part_mm']:g} mm parts, {found['least_gap_mm']:g} mm apart, at "
        f"{found['max_speed_mm_s']:g} mm/s: {found['rate_per_s']:.2f} parts a second.</p>"
        f"<h2>Time and distance</h2>{diagram(found)}"
        "<p>Each band is a part on its way, from its leading edge to its rear. From the exposure "
        "there is time for a decision until the command must be given; the ejector's face then "
        "stands where its bar is: dark while it hits, light until it is out of the way. A bar that "
        "meets another part's band would hit that part.</p>"
        f"<h2>Limits</h2><table>{rows}</table></html>"
    )


def _rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    def limit(key: str, unit: str) -> tuple[str, str]:
        return _limit(found[key], unit)

    rows = [
        ("greatest speed", *limit("greatest_speed_mm_s", "mm/s")),
        ("least gap", *limit("least_possible_gap_mm", "mm")),
        ("greatest rate", *limit("greatest_rate_per_s", "parts/s")),
        ("slowest decision", *limit("greatest_decision_ms", "ms")),
    ]
    for number, (ejector, late) in enumerate(zip(found["ejectors"], found["late"], strict=True)):
        name = f"ejector {number}"
        rows += [
            (
                f"{name}: window",
                f"{ejector['window_mm']:.2f} mm = {ejector['window_ms']:.2f} ms",
                f"of {ejector['hit_mm']:.2f} mm that hit the part whole, so much spares its "
                "neighbours",
            ),
            (
                f"{name}: position",
                f"+-{ejector['error_mm']:.2f} mm",
                f"{ejector['miss_share']:.1e} of the strokes miss their part or touch another, if "
                "errors are normal and this is three deviations",
            ),
            (
                f"{name}: time to decide",
                f"{ejector['available_ms']:.1f} ms",
                f"{found['decision_ms']:.1f} ms are planned",
            ),
            (f"{name}: least distance", *_limit(ejector["least_at_mm"], "mm")),
            (
                f"{name}: late decisions",
                "not known" if late is None else f"{late['late']} of {late['of']}",
                "nothing was measured"
                if late is None
                else f"at most {late['most_share']:.2%} (Wilson, 95 %)",
            ),
        ]
    if found["rehearsal"]:
        ledger = ", ".join(f"{n} {word}" for word, n in found["rehearsal"]["ledger"].items())
        rows.append(("rehearsed", f"{found['rehearsal']['parts']} parts", ledger))
    return rows


def _limit(limit: dict[str, Any] | None, unit: str) -> tuple[str, str]:
    if limit is None:
        return "none", "it does not work with the other figures as they are"
    return f"{limit['value']:.2f} {unit}", limit["why"]


def diagram(found: dict[str, Any]) -> str:
    """Three parts in time (down) and distance (to the right), as inline SVG."""
    speed = found["max_speed_mm_s"] / 1e3  # mm a millisecond
    part, pitch = found["part_mm"], found["part_mm"] + found["least_gap_mm"]
    places = [*found["cameras_mm"], *(e["at_mm"] + e["face_mm"] for e in found["ejectors"])]
    far: float = max([*places, found["capture_mm"]]) + part
    last: float = (far + part + (_PARTS - 1) * pitch) / speed
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(mm: float) -> float:
        return round(float(_LEFT + min(max(mm, 0.0), far) / far * wide), 1)

    def y(ms: float) -> float:
        return round(float(_TOP + min(max(ms, 0.0), last) / last * high), 1)

    shapes = [f'<rect x="{_LEFT}" y="{_TOP}" width="{wide}" height="{high}" fill="#f7f9fc"/>']
    for number in range(_PARTS):
        enters = number * pitch / speed
        corners = [
            (0.0, enters),
            (far, enters + far / speed),
            (far, enters + (far + part) / speed),
            (0.0, enters + part / speed),
        ]
        points = " ".join(f"{x(mm)},{y(ms)}" for mm, ms in corners)
        colour = "#c0392b" if number == 1 else "#4a7ab5"
        shapes.append(f'<polygon points="{points}" fill="{colour}" fill-opacity=".22"/>')
    stations = [("eye", 0.0), *((f"camera {n}", mm) for n, mm in enumerate(found["cameras_mm"]))]
    stations += [(f"ejector {n}", e["at_mm"]) for n, e in enumerate(found["ejectors"])]
    for name, mm in stations:
        shapes.append(
            f'<line x1="{x(mm)}" x2="{x(mm)}" y1="{_TOP}" y2="{_TOP + high}" stroke="#8793a6" '
            f'stroke-dasharray="3 3"/><text x="{x(mm)}" y="{_TOP - 10}" text-anchor="middle" '
            f'fill="#445">{name} {mm:g}</text>'
        )
    own = pitch / speed
    captured = own + found["capture_mm"] / speed
    for ejector in found["ejectors"]:
        told = own + ejector["command_mm"] / speed
        late = found["decision_ms"] > ejector["available_ms"]
        begins = own + (ejector["at_mm"] + part / 2) / speed - ejector["hit_ms"] / 2
        near, face = x(ejector["at_mm"] - ejector["face_mm"] / 2), ejector["face_mm"] / far * wide
        for ms, colour in ((ejector["out_ms"], "#e9b872"), (ejector["hit_ms"], "#b9770e")):
            shapes.append(
                f'<rect x="{near}" y="{y(begins)}" width="{max(face, 2):.1f}" '
                f'height="{max(y(begins + ms) - y(begins), 1):.1f}" fill="{colour}"/>'
            )
        ready = captured + found["decision_ms"]
        at = x(found["capture_mm"])
        shapes.append(
            f'<line x1="{at}" x2="{at}" y1="{y(captured)}" y2="{y(ready)}" stroke="#2c3e50" '
            f'stroke-width="4"/><line x1="{at}" x2="{x(ejector["command_mm"])}" y1="{y(ready)}" '
            f'y2="{y(told)}" stroke="{"#c0392b" if late else "#2e8b57"}" stroke-width="2"/>'
            f'<circle cx="{x(ejector["command_mm"])}" cy="{y(told)}" r="4" fill="#2c3e50"/>'
            f'<text x="{at + 8}" y="{y(captured) + 14}" fill="#2c3e50">decision '
            f"{found['decision_ms']:.0f} of {ejector['available_ms']:.0f} ms</text>"
        )
    for tenth in range(0, 11, 2):
        mm, ms = far * tenth / 10, last * tenth / 10
        shapes.append(
            f'<text x="{x(mm)}" y="{_TOP + high + 18}" text-anchor="middle" fill="#667">'
            f"{mm:.0f}</text>"
            f'<text x="{_LEFT - 8}" y="{y(ms) + 4}" text-anchor="end" fill="#667">{ms:.0f}</text>'
        )
    shapes.append(
        f'<text x="{_LEFT + wide / 2}" y="{_HEIGHT - 8}" text-anchor="middle" fill="#445">'
        f'leading edge, mm from the eye</text><text x="14" y="{_TOP + high / 2}" fill="#445" '
        f'transform="rotate(-90 14 {_TOP + high / 2})" text-anchor="middle">time, ms</text>'
    )
    label = "Three parts in time and distance, with camera, decision and stroke"
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}"'
    return f"<svg {box}>{''.join(shapes)}</svg>"
