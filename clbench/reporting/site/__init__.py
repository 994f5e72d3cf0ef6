"""The report as a page: one folder of HTML that opens from disk and loads nothing from elsewhere."""

from clbench.reporting.site.site import write_page

__all__ = ["write_page"]
