"""Puts the viewers' page together: excerpt files and orders, and nothing of what is behind them."""

from __future__ import annotations

from collections.abc import Sequence

from stcodec.viewing.trials import Plan
from stcodec.web.page import Page

PAGE_NAME = "test.html"
PAGE = Page(
    __package__,
    shared=("dom",),
    scripts=("state", "screen", "player", "answers", "main"),
    media="'self' file:",  # its own folder: opened as a file it has no origin to be 'self'
)


def render(
    test: str, show: str, size: tuple[int, int], clips: str, ids: Sequence[Sequence[str]], plans: Sequence[Plan]
) -> str:
    """The page as text. size: of the pictures, px; clips: the folder beside it; ids: of files, [excerpt][candidate]."""
    data = {
        "test": test,
        "show": show,
        "width": size[0],
        "height": size[1],
        "clips": clips,
        "plans": [
            [
                [showing.trial.id, ids[showing.trial.excerpt][showing.first], ids[showing.trial.excerpt][showing.second]]
                for showing in plan
            ]
            for plan in plans
        ],
    }
    return PAGE.render({"data": data})
