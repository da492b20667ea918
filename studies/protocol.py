"""What studies share: the schedule, the orders, the seeds, and the groups of methods."""

MEASURED = ("--points", "0", "--no-score-unlearned", "--no-keep-checkpoints")
"""Nothing is evaluated but General and the tasks learned so far, after every task."""
SCHEDULE = ("--limit", "128", "--epochs", "4", "--batch-size", "8", *MEASURED)
"""64 steps of 8 examples for each task: short, for there are hundreds of runs."""
SEEDS, FEW_SEEDS, TUNING_SEEDS = (1, 2, 3, 4, 5), (1, 2, 3), (1, 2)
TRACE_1, TRACE_2 = ("--order", "trace-1"), ("--order", "trace-2")
CODE = ("--tasks", "code-mini", "--allow-code-execution")

PRIORITY = ("sft", "self-kl", "l2", "mofo", "replay", "fggm", "random", "contrast", "migu")
"""The methods that the page begins with, over five seeds."""
MORE = (
    *("protect", "magnitude", "fggm-online", "ewc", "online-ewc", "lwf", "lora", "olora", "joint"),
    *("finch", "eaft", "sfa", "cpo", "fapm", "wise", "self-replay", "shira", "osf"),
)
"""The other methods, over three seeds."""
COMBINED = ("lora+migu", "lora+fggm", "lora+contrast", "replay+fggm", "replay+contrast")
"""Combinations have the settings of their parts, and no trial of their own."""
SPARSE_WITH_SELF_KL = ("self-kl+fggm", "self-kl+contrast", "self-kl+mofo")
SELF_KL_COMBINED = (*SPARSE_WITH_SELF_KL, "self-kl+l2", "lora+self-kl")
OWN_SAMPLES = ("protect", "contrast")
"""Masks from the model's own samples."""
MASKS = ("fggm", "random", "contrast", "migu")
"""Masks that are shown with the first task masked and with the first task free."""
