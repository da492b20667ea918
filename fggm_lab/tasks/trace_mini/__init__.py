"""The shipped task sequence: eight small tasks, one of the kind of each of TRACE's eight."""

from fggm_lab.tasks.trace_mini.families import FAMILIES, Family
from fggm_lab.tasks.trace_mini.generate import general_splits, pretraining_example, task_splits
from fggm_lab.tasks.trace_mini.skills import SKILLS

__all__ = [
    "FAMILIES",
    "SKILLS",
    "Family",
    "general_splits",
    "pretraining_example",
    "task_splits",
]
