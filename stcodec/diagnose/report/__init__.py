"""One self-contained page that shows what attention looked at over a film, in any browser, without a network."""

from stcodec.diagnose.report.page import write_report

__all__ = ["write_report"]
