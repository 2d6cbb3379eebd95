"""One self-contained page that shows a finished evaluation in any browser, without a network."""

from stcodec.evaluate.report.page import REPORT_NAME, write_report

__all__ = ["REPORT_NAME", "write_report"]
