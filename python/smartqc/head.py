"""A head of your own, for the model whose outputs nothing here understands."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

Found = tuple[str, float, tuple[float, float, float, float] | None]
"""Class, score 0..1, and left, top, right, bottom in the input's pixels (None: all of it)."""


class Head(Protocol):
    """What ``head = "python:module:Class"`` in a recipe names.

    The recipe must name the model's ``classes``. Thresholds, rules and the way back to the camera's
    pixels are the same as for other heads. It is the one thing that takes the GIL on the way to a
    verdict, so its time counts: ``line.stats.python_head_s``. Each worker makes its own object.
    """

    def __init__(self, classes: list[str], size: tuple[int, int]) -> None:
        """Be made with the recipe's class names, and width and height of the model's input."""

    def read(self, outputs: Mapping[str, NDArray[Any]]) -> Iterable[Found]:
        """Say what one picture's outputs show.

        Args:
            outputs: by name, without the dimension of the batch; copies of your own.

        An exception, an unknown class or what is no number leaves the view unjudged.
        """
