"""The floors of docs/structure.md: who may import whom, and what the public surface is."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import stcodec
from stcodec.web.page import Page

PACKAGE = Path(stcodec.__file__).parent
FLOORS = {
    "errors": 0,
    "interrupts": 1,
    "types": 1,
    "view": 1,
    "keep": 1,
    "orientation": 1,
    "options": 2,
    "progress": 2,
    "report": 2,
    "media": 2,
    "model": 2,
    "web": 2,
    "attention": 3,
    "qp": 3,
    "encoders": 3,
    "metrics": 3,
    "roi": 4,
    "pipeline": 4,
    "work": 4,
    "diagnose": 5,
    "evaluate": 5,
    "matching": 5,
    "stream": 5,
    "train": 5,
    "batch": 6,
    "viewing": 6,
    "preview": 6,
    "cli": 7,
}
"""The first name below `stcodec` and its floor. A new folder must be given one."""
ONLY_IN = {
    "av": {"media", "encoders", "stream"},
    "cv2": {"attention", "metrics"},
    "fsspec": {"batch"},
    "ffmpeg": {"media", "metrics", "stream"},
    "onnxruntime": {"attention"},
    "platformdirs": {"cli"},
    "prometheus_client": {"stream"},
    "ray": {"batch"},
    "rich": {"cli"},
    "safetensors": {"model"},
    "shtab": {"cli"},
    "sqlite3": {"batch"},
    "torch": {"model", "attention", "train"},
    "threading": {"cli", "interrupts", "media", "pipeline", "stream", "work"},
    "queue": {"pipeline", "stream"},
}
"""Packages, and the only places that may import them."""
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem in FLOORS)


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """All modules that a file imports, also inside functions; not those for type checkers alone."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    skipped = {id(child) for node in typing_only for child in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_from_floors_below_it(path: Path) -> None:
    here = place(path)
    for name in imports(path):
        if not name.startswith("stcodec."):
            continue
        there = name.split(".")[1]
        assert there == here or FLOORS[there] < FLOORS[here], f"{here} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_packages_stay_where_they_belong(path: Path) -> None:
    for name in imports(path):
        package = name.split(".")[0]
        assert place(path) in ONLY_IN.get(package, {place(path)}), f"{path} imports {name}"


def test_no_files_import_each_other() -> None:
    """Not in a circle either, and not for type checkers."""
    paths = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for name, path in paths.items():
        nodes = [one for one in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(one, ast.ImportFrom)]
        named = {
            text for one in nodes for text in (one.module or "", *(f"{one.module}.{alias.name}" for alias in one.names))
        }
        graph[name] = (named & paths.keys()) - {name}
    TopologicalSorter(graph).prepare()  # raises CycleError, with the circle


def test_attention_needs_torch_in_one_file_only() -> None:
    found = {
        path.name for path in (PACKAGE / "attention").glob("*.py") if "torch" in {one.split(".")[0] for one in imports(path)}
    }
    assert found == {"neural_torch.py"}


def test_one_file_knows_ray() -> None:
    found = {path.name for path in PACKAGE.rglob("*.py") if "ray" in {one.split(".")[0] for one in imports(path)}}
    assert found == {"ray_pool.py"}


def test_errors_and_types_need_nothing_but_numpy() -> None:
    for name in ("errors", "types", "options", "report"):
        outside = {one.split(".")[0] for one in imports(PACKAGE / f"{name}.py")} - set(sys.stdlib_module_names)
        assert outside <= {"numpy", "stcodec"}


def test_public_names_are_all_there() -> None:
    for name in stcodec.__all__:
        assert getattr(stcodec, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = stcodec.nonsense


def test_import_is_light() -> None:
    code = "import stcodec, stcodec.cli, sys; print([m for m in ('av', 'cv2', 'skimage', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_file_is_too_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {str(path): length for path, length in lengths.items() if length > 400} == {}


def pages() -> list[tuple[Path, Page]]:
    """The module of each page, and the page."""
    found = [path for path in MODULES if "stcodec.web.page" in imports(path) and "Page(" in path.read_text(encoding="utf-8")]
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in found]
    return [(path, import_module(name).PAGE) for path, name in zip(found, names, strict=True)]


def test_a_page_is_made_of_files_of_its_own_folder_and_of_web() -> None:
    found = pages()
    assert len(found) == 5
    used = {PACKAGE / "web" / "base.css"}
    for path, page in found:
        assert page.folder == ".".join(path.relative_to(PACKAGE.parent).parent.parts)
        used |= {path.parent / name for name in ("template.html", "style.css", *(f"{one}.js" for one in page.scripts))}
        used |= {PACKAGE / "web" / f"{one}.js" for one in page.shared}
    there = {path for kind in ("html", "css", "js") for path in PACKAGE.rglob(f"*.{kind}")}
    assert used == there


def test_one_file_reads_the_files_of_pages() -> None:
    found = [path for path in MODULES if "resources.files(" in path.read_text(encoding="utf-8")]
    assert found == [PACKAGE / "web" / "page.py"]


def test_a_class_has_a_name_of_its_own() -> None:
    """One word for one thing."""
    named: dict[str, list[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                named.setdefault(node.name.lstrip("_"), []).append(str(path.relative_to(PACKAGE)))
    assert {name: places for name, places in named.items() if len(places) > 1} == {}
