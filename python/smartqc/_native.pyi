"""The Rust core's face. Handwritten; ``make test`` holds it against the extension."""

__version__: str
