"""The mark of each exercise in its notebook: difficulty, minutes, and the call that gives a hint.

`python -m tools.exercise_marks` writes them into the notebooks of the course, from what the
exercises say of themselves in `fggm_lab/course/exercises`; a test holds the notebooks to them.
"""

import json
import re
from pathlib import Path
from typing import Any

from fggm_lab.course.exercises import all_exercises

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"

HEADING = re.compile(
    r"(?P<heading>\*\*(?:Exercise|Übung|练习) ?(?P<letter>[a-z])\b[^*]*\*\*)"
    r"(?P<mark> \([●○]+ \d+ min · `check_\w+\.hint\(\)`\))?"
)
"""An exercise's heading in any language of the course, and its mark."""


def with_marks(notebook: dict[str, Any], number: str) -> dict[str, Any]:
    """A notebook whose exercises carry their marks.

    Args:
        notebook: as it is stored.
        number: of the notebook, such as `00`.

    Returns:
        The notebook with each mark behind its exercise's heading, in place of an older one;
        exercises without a check have none.
    """
    marks = {e.letter: f" {e.mark}" for e in all_exercises() if e.notebook == number}

    def mark(heading: re.Match[str]) -> str:
        return heading["heading"] + marks.get(heading["letter"], "")

    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            source = HEADING.sub(mark, "".join(cell["source"]))
            cell = cell | {"source": source.splitlines(keepends=True)}
        cells.append(cell)
    return notebook | {"cells": cells}


def main() -> None:
    """Write the marks into every notebook."""
    for path in sorted(FOLDER.rglob("*.ipynb")):
        notebook = with_marks(json.loads(path.read_text(encoding="utf-8")), path.name[:2])
        text = json.dumps(notebook, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
