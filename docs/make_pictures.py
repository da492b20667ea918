"""Draws the README's pictures from the demo's runs: `make pictures`.

python docs/make_pictures.py [folder of runs]
"""

import sys
from pathlib import Path

import plotly.graph_objects as go

import fggm_lab as lab
from fggm_lab.methods import METHODS

FOLDER = Path(__file__).resolve().parent
WIDTH = 960
"""Pixels: about as wide as GitHub shows a page."""


def pictures(folder: Path) -> dict[str, go.Figure]:
    """The figures of the README, for the runs in a folder.

    Backgrounds are transparent and ink is grey, so that a picture reads on white and on black.

    Args:
        folder: with one run of each method, FGGM among them.

    Returns:
        File name → figure.
    """
    methods = list(METHODS)
    runs = sorted(lab.find_runs(folder), key=lambda run: methods.index(run.config.method))
    fggm = next(run for run in runs if run.config.method == "fggm")
    masks = {task: mask for task in fggm.config.task_names if (mask := fggm.mask(task))}
    figures = {
        "forgetting.png": lab.plots.forgetting_curves(runs),
        "overlap.png": lab.plots.mask_overlap(masks, controls=False),
    }
    return {name: figure.update_layout(width=WIDTH) for name, figure in figures.items()}


if __name__ == "__main__":
    for name, figure in pictures(Path(*sys.argv[1:2] or ["runs/demo"])).items():
        lab.plots.export(figure, FOLDER / name)
        print(f"docs/{name}: {lab.plots.caption_of(figure)}")
