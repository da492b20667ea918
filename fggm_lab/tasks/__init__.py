"""Tasks: examples in splits, reading and auditing them, scoring answers; no model lives here."""

from fggm_lab.tasks.audit import Audit, TaskAudit, audit
from fggm_lab.tasks.general import General, load_general
from fggm_lab.tasks.metrics import METRICS, TRACE_METRICS, lenient_match, metric_for, score
from fggm_lab.tasks.reader import load_tasks, read_examples, task_fingerprint
from fggm_lab.tasks.records import Example, Task, TaskSequence
from fggm_lab.tasks.shipped import SHIPPED, data_folder
from fggm_lab.tasks.trace import ORDERS, TRACE_NEW_TOKENS, TRACE_ORDER, missing_tasks

__all__ = [
    "METRICS",
    "ORDERS",
    "SHIPPED",
    "TRACE_METRICS",
    "TRACE_NEW_TOKENS",
    "TRACE_ORDER",
    "Audit",
    "Example",
    "General",
    "Task",
    "TaskAudit",
    "TaskSequence",
    "audit",
    "data_folder",
    "lenient_match",
    "load_general",
    "load_tasks",
    "metric_for",
    "missing_tasks",
    "read_examples",
    "score",
    "task_fingerprint",
]
