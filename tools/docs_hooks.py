"""Hooks of the docs site (mkdocs.yml): the home page is the README, and what lies outside docs/ is named, not linked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the README as the home page."""
    from mkdocs.structure.files import File

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"(\]\()docs/", r"\1", text)  # its links, seen from docs/
    text = _LINK.sub(lambda link: _seen(link, ROOT / "docs" / "index.md", ROOT), text)
    files.append(File.generated(config, "index.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Name what lies outside docs/ instead of linking to it: there is no page of it."""
    if page.file.src_uri == "index.md":
        return markdown
    path = ROOT / "docs" / page.file.src_uri
    return _LINK.sub(lambda link: _seen(link, path, path.parent), markdown)


def _seen(link: re.Match[str], page: Path, base: Path) -> str:
    """A link as it is, if it leads to a page of the site or is a broken one; else its words."""
    target = link[2].split("#")[0]
    inside = (page.parent / target).resolve()
    if inside.is_relative_to(ROOT / "docs") and inside.exists():
        return link[0]
    outside = (base / target).resolve()
    if outside == ROOT / "README.md":
        up = "../" * (len(page.relative_to(ROOT / "docs").parts) - 1)
        return f"[{link[1]}]({up}index.md)"
    return f"{link[1]} (`{outside.relative_to(ROOT)}`)" if outside.exists() else link[0]
