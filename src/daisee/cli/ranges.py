"""Numbers with an end: what options take that are no whole numbers."""

from __future__ import annotations

import math
from typing import Any

import click


class Within(click.FloatRange):
    """A number from one bound to another. Not a number is none of them, though it is neither below nor above."""

    def __init__(self, least: float, most: float, *, min_open: bool = False) -> None:
        super().__init__(least, most, min_open=min_open)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is no number", param, ctx)
        return number
