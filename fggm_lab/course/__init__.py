"""The course's own part of the library: the runs its notebooks look at, and their exercises."""

from fggm_lab.course.runs import course_runs

__all__ = ["course_runs"]
