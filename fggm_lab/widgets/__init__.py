"""Widgets: explorers for notebooks that put controls around the figures of `fggm_lab.plots`."""

from fggm_lab.widgets.explorer import explore

__all__ = ["explore"]
