"""The course's own part of the library: the runs its notebooks look at, and their exercises."""

from fggm_lab.course.grading import Grades, grade
from fggm_lab.course.programs import Program, programs
from fggm_lab.course.results import CourseResults, ExerciseResult, course_progress
from fggm_lab.course.runs import course_runs
from fggm_lab.course.share import share_result
from fggm_lab.course.stored import STORED, StoredSet, stored_runs, train_set

__all__ = [
    "STORED",
    "CourseResults",
    "ExerciseResult",
    "Grades",
    "Program",
    "StoredSet",
    "course_progress",
    "course_runs",
    "grade",
    "programs",
    "share_result",
    "stored_runs",
    "train_set",
]
