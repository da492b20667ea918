"""The course's own part of the library: the runs its notebooks look at, and their exercises."""

from fggm_lab.course.programs import Program, programs
from fggm_lab.course.runs import course_runs
from fggm_lab.course.stored import STORED, StoredSet, stored_runs, train_set

__all__ = [
    "STORED",
    "Program",
    "StoredSet",
    "course_runs",
    "programs",
    "stored_runs",
    "train_set",
]
