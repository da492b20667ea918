"""The first code cell of every notebook: it installs the lab on machines that lack it.

`python -m tools.install_cell` writes it into the notebooks of the course; a test holds them to it.
"""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"

IDENTIFIER = "install"
"""The cell's name inside its notebook."""

EXTRAS = ("notebook", "attribution", "lora", "text")
"""What the course needs beside the core."""

SOURCE = f"""\
# Installs the lab where it is missing (Colab, Kaggle); does nothing elsewhere.
from importlib.util import find_spec

if find_spec("fggm_lab") is None:
    get_ipython().run_line_magic("pip", "install --quiet fggm-lab[{",".join(EXTRAS)}]")"""

METADATA = {"jupyter": {"source_hidden": True}, "tags": [IDENTIFIER]}
"""JupyterLab folds the cell away."""


def install_cell() -> dict[str, Any]:
    """The cell as a notebook stores it."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": IDENTIFIER,
        "metadata": METADATA,
        "outputs": [],
        "source": SOURCE.splitlines(keepends=True),
    }


def with_install_cell(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with the cell below its heading, in place of an older one."""
    heading, *cells = (cell for cell in notebook["cells"] if cell["id"] != IDENTIFIER)
    return notebook | {"cells": [heading, install_cell(), *cells]}


def main() -> None:
    """Write the cell into every notebook."""
    for path in sorted(FOLDER.rglob("*.ipynb")):
        notebook = with_install_cell(json.loads(path.read_text(encoding="utf-8")))
        text = json.dumps(notebook, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
