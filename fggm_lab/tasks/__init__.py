"""Tasks: examples in splits, reading and auditing them, scoring answers; no model lives here."""

from fggm_lab.tasks.audit import Audit, TaskAudit, audit
from fggm_lab.tasks.chat import ChatPrompt
from fggm_lab.tasks.code import (
    CodeProblem,
    Isolation,
    Limits,
    Outcome,
    cut_completion,
    isolation,
    mean_pass_at_k,
    pass_at_k,
    program_text,
    read_problems,
    run_program,
    run_programs,
    score_programs,
)
from fggm_lab.tasks.coerce import as_examples
from fggm_lab.tasks.general import General, general_fingerprint, load_general
from fggm_lab.tasks.metrics import (
    METRICS,
    PASS_AT_1,
    TRACE_METRICS,
    lenient_match,
    metric_for,
    score,
)
from fggm_lab.tasks.multiple_choice import CHOOSE, Choice, ChooseBy
from fggm_lab.tasks.shipped import SEQUENCES, SHIPPED, data_folder
from fggm_lab.tasks.task import Example, ScoredSplit, Split, Task, TaskSequence
from fggm_lab.tasks.task_files import load_tasks, read_examples, task_fingerprint
from fggm_lab.tasks.trace import ORDERS, TRACE_NEW_TOKENS, TRACE_ORDER, missing_tasks

__all__ = [
    "CHOOSE",
    "METRICS",
    "ORDERS",
    "PASS_AT_1",
    "SEQUENCES",
    "SHIPPED",
    "TRACE_METRICS",
    "TRACE_NEW_TOKENS",
    "TRACE_ORDER",
    "Audit",
    "ChatPrompt",
    "Choice",
    "ChooseBy",
    "CodeProblem",
    "Example",
    "General",
    "Isolation",
    "Limits",
    "Outcome",
    "ScoredSplit",
    "Split",
    "Task",
    "TaskAudit",
    "TaskSequence",
    "as_examples",
    "audit",
    "cut_completion",
    "data_folder",
    "general_fingerprint",
    "isolation",
    "lenient_match",
    "load_general",
    "load_tasks",
    "mean_pass_at_k",
    "metric_for",
    "missing_tasks",
    "pass_at_k",
    "program_text",
    "read_examples",
    "read_problems",
    "run_program",
    "run_programs",
    "score",
    "score_programs",
    "task_fingerprint",
]
