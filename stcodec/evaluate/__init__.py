"""Bits saved against quality where people look.

    import stcodec.evaluate as ev
    results = ev.run(["clips/"], "report/", options=ev.EvaluateOptions(crfs=(22, 26, 30, 34, 38)))
    for line in results.headlines:
        print(line.arm, line.metric, line.bd_rate_percent, line.low_percent, line.high_percent)

`run` encodes and scores clips (`stcodec evaluate`); `compare` scores files that exist (`stcodec compare`). Both return an
`Evaluation`. With more than one job processes are started anew: a script needs its `if __name__ == "__main__":`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stcodec.evaluate.comparison import CompareOptions as CompareOptions, compare as compare
    from stcodec.evaluate.evaluation import EvaluateRun as EvaluateRun, run as run
    from stcodec.evaluate.options import ArmChoice as ArmChoice, EvaluateOptions as EvaluateOptions
    from stcodec.evaluate.results import Evaluation as Evaluation

_NAMES = {
    "options": "ArmChoice EvaluateOptions",
    "comparison": "CompareOptions compare",
    "evaluation": "EvaluateRun run",
    "results": "Evaluation",
}
"""Public names by the module that has them."""
_HOMES = {name: home for home, names in _NAMES.items() for name in names.split()}

__all__ = [*_HOMES]  # noqa: PLE0604 (the keys are strings)


def __getattr__(name: str) -> Any:
    # Loaded on first use: workers set the number of threads before numpy is imported.
    if name in _HOMES:
        return getattr(import_module(f"stcodec.evaluate.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'stcodec.evaluate' has no attribute {name!r}")
