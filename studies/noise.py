"""The noise floor: a task is followed by more examples of the same task, and by nothing else.

What a method then loses of the task is not forgetting but noise, of the examples, of the schedule
that begins anew, and of the score.
"""

from pathlib import Path

from fggm_lab.files import write_folder, write_json
from fggm_lab.tasks import load_tasks

TASKS = ("C-STANCE", "MeetingBank", "ScienceQA", "NumGLUE-ds")
FOLDER = Path("runs/results/noise-tasks")
"""Relative to the checkout: every task, and the same as `<task>-continued` with other examples."""
EXAMPLES = 128


def order(task: str) -> str:
    """A task and its continuation, as `--order` takes them."""
    return f"{task},{task}-continued"


def write_tasks(folder: Path) -> None:
    """Write the tasks in TRACE's layout into a folder, unless it is there."""
    if not folder.exists():
        write_folder(folder, _fill)


def _fill(folder: Path) -> None:
    sequence = load_tasks("trace-mini")
    for name in TASKS:
        task = sequence[name]
        halves = {name: task.train[:EXAMPLES], f"{name}-continued": task.train[EXAMPLES:]}
        for half, train in halves.items():
            (folder / half).mkdir(parents=True)
            splits = {"train": train[:EXAMPLES], "eval": task.eval, "test": task.test}
            for split, examples in splits.items():
                rows = [{"prompt": e.prompt, "answer": e.answer} for e in examples]
                write_json(folder / half / f"{split}.json", rows)
