"""``smartqc version``."""

import smartqc


def version() -> None:
    """Print the version of smartqc."""
    print(f"smartqc {smartqc.__version__}")
