"""One self-contained page that shows what attention looked at over a video, in any browser, without a network."""

from stcodec.diagnose.report.page import write_page

__all__ = ["write_page"]
