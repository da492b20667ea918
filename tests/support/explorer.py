"""What tests ask an explorer in a browser."""

EXPLORER_SHOWS = """view => {
  const figure = document.querySelector('.fggm-explore [data-view]');
  const box = figure?.querySelector('.main-svg')?.getBoundingClientRect();
  const message = figure?.querySelector('[role=status]:not([hidden])');
  return figure?.dataset.view === view && (message || box?.width > 300 && box.height > 150);
}"""
"""Whether an explorer in a page shows a view, `overlap/per layer`, or says why there is none."""
