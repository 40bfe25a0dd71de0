"""What all pages share: where their templates lie, and how figures are written in them."""

import jinja2

from smartqc.quality.wilson import percent
from smartqc.report import charts


def template(name: str) -> jinja2.Template:
    """A page's template; what it is not given is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("smartqc.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "zip": zip,
        "count": lambda value: f"{value:,}",
        "ms": charts.milliseconds,
        "percent": percent,
        "interval": lambda ends: f"{percent(ends[0]).removesuffix(' %')} to {percent(ends[1])}",
        "day": lambda when: f"{when.day} {when:%B %Y, %H:%M}",
        "rate": lambda hz: f"{hz:,.{0 if hz >= 100 else 1}f}",
    }
    return environment.get_template(name)
