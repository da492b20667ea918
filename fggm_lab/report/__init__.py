"""The stand-alone HTML report of one or more runs."""

from fggm_lab.extras import require

require("the report", "plotly")

from fggm_lab.report.page import write_report

__all__ = ["write_report"]
