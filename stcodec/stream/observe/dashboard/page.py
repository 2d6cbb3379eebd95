"""Puts the dashboard's page together, one file without anything from the network."""

from __future__ import annotations

from functools import cache

from stcodec.web.colours import AMOUNT
from stcodec.web.page import Page

PAGE = Page(
    __package__,
    shared=("dom", "lines", "grids"),
    scripts=("state", "preview", "chart", "numbers", "main"),
    connect="'self'",
)


@cache
def render() -> str:
    """The page as text."""
    return PAGE.render({"ramps": {"amount": AMOUNT.tolist()}})
