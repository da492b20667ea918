"""Tasks that no run learned: whatever is said of them says nothing of methods."""

from fggm_lab.runs.listing import RunsLike, as_runs


def unlearned_tasks(runs: RunsLike) -> dict[str, tuple[float, float]]:
    """Tasks on which no run, right after it learned them, is surely better than untrained.

    Sure is a gain of more than two standard errors of the untrained model's and the trained one's
    score, as of shares: for scores between 0 and 1 that is the widest they can be.

    Args:
        runs: runs over the same tasks, finished or not.

    Returns:
        Task → the untrained model's score, and the best one right after it was learned. A task that
        no run has learned yet, or of which the untrained score is not known, is not in it.
    """
    gains: dict[str, list[tuple[float, float, bool]]] = {}
    for run in as_runs(runs):
        scores = run.scores
        starts = [event for event in run.events("evaluation") if event["final"]]
        if scores is None or not starts:
            continue
        for index, task in enumerate(scores.tasks):
            before, after = scores.untrained[index], scores.matrix[index][index]
            counted = starts[0]["tasks"].get(task)
            if before is None or after is None or counted is None:
                continue
            variance = before * (1 - before) + after * (1 - after)
            margin = 2 * (variance / counted["examples"]) ** 0.5
            gains.setdefault(task, []).append((before, after, after - before > margin))
    return {
        task: (rows[0][0], max(after for _, after, _ in rows))
        for task, rows in gains.items()
        if not any(learned for _, _, learned in rows)
    }


def unchecked_tasks(runs: RunsLike) -> list[str]:
    """Tasks of which `unlearned_tasks` can say nothing, since no run scored the untrained model.

    Args:
        runs: runs over the same tasks, finished or not.

    Returns:
        Names of tasks that were scored right after they were learned, in order.
    """
    scored = [run.scores for run in as_runs(runs) if run.scores is not None]
    after = {
        task: None
        for scores in scored
        for index, task in enumerate(scores.tasks)
        if scores.matrix[index][index] is not None
    }
    before = {
        task
        for scores in scored
        for task, score in zip(scores.tasks, scores.untrained, strict=True)
        if score is not None
    }
    return [task for task in after if task not in before]
