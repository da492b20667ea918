"""Code tasks: problems with unit tests, running programs under limits, pass@k, code-mini."""

from fggm_lab.tasks.code.code_mini import code_splits
from fggm_lab.tasks.code.completion_end import cut_completion
from fggm_lab.tasks.code.limits import Limits, Outcome
from fggm_lab.tasks.code.pass_at import mean_pass_at_k, pass_at_k
from fggm_lab.tasks.code.problem import CodeProblem, program_text
from fggm_lab.tasks.code.problem_files import read_problems
from fggm_lab.tasks.code.program_pool import passes, run_programs, score_programs
from fggm_lab.tasks.code.protections import Isolation
from fggm_lab.tasks.code.sandbox import check_allowed, isolation, run_program
from fggm_lab.tasks.shipped import CODE_MINI

__all__ = [
    "CODE_MINI",
    "CodeProblem",
    "Isolation",
    "Limits",
    "Outcome",
    "check_allowed",
    "code_splits",
    "cut_completion",
    "isolation",
    "mean_pass_at_k",
    "pass_at_k",
    "passes",
    "program_text",
    "read_problems",
    "run_program",
    "run_programs",
    "score_programs",
]
