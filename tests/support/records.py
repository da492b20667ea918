"""Small made-up runs, scores and masks with numbers a test can foresee."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from fggm_lab.fisher.scores import FisherInfo, FisherScores
from fggm_lab.masks import Mask
from fggm_lab.runs import Run, RunConfig, ScoreMatrix
from fggm_lab.runs.events import append_event

TASKS = ["C-STANCE", "FOMC", "MeetingBank", "Py150", "ScienceQA", "NumGLUE-cm", "NumGLUE-ds",
         "20Minuten"]  # fmt: skip
LOSS = {"sft": 0.55, "migu": 0.3, "fggm": 0.2, "random": 0.25}
"""How much of a task's score each method loses with every later task."""
METHODS = ("sft", "migu", "fggm", "random")
"""The methods of `runs_of_methods`, in order."""
STEPS = 40


def made_scores(task: str | None = None, seed: int = 0, layers: int = 4) -> FisherScores:
    """Scores of a small Qwen2: unequal among layers, some exactly 0 in the embedding."""
    rng = torch.Generator().manual_seed(seed)
    sizes = {"self_attn.q_proj.weight": 128, "self_attn.k_proj.weight": 64,
             "self_attn.v_proj.weight": 64, "self_attn.v_proj.bias": 64,
             "self_attn.o_proj.weight": 128, "mlp.gate_proj.weight": 384,
             "mlp.down_proj.weight": 128, "input_layernorm.weight": 128}  # fmt: skip
    units = {"model.embed_tokens.weight": torch.rand(96, generator=rng).exp()}
    units["model.embed_tokens.weight"][60:] = 0
    for layer in range(layers):
        for index, (module, size) in enumerate(sizes.items()):
            spread = torch.randn(size, generator=rng) * 2 + index - layer
            units[f"model.layers.{layer}.{module}"] = spread.exp()
    units["model.norm.weight"] = torch.rand(128, generator=rng)
    info = FisherInfo("empirical", "input", 100, 1200, "0123456789abcdef", task)
    return FisherScores(units, dict.fromkeys(units, 0), None, info)


def large_scores(task: str | None = None, seed: int = 0, layers: int = 28) -> FisherScores:
    """Scores with as many units as a 1.5 B-parameter model has, half of the embedding's 0."""
    rng, shared_rng = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(12345)
    sizes = {"self_attn.q_proj.weight": 1536, "self_attn.q_proj.bias": 1536,
             "self_attn.k_proj.weight": 256, "self_attn.k_proj.bias": 256,
             "self_attn.v_proj.weight": 256, "self_attn.v_proj.bias": 256,
             "self_attn.o_proj.weight": 1536, "mlp.gate_proj.weight": 4480,
             "mlp.up_proj.weight": 4480, "mlp.down_proj.weight": 1536,
             "input_layernorm.weight": 1536, "post_attention_layernorm.weight": 1536}  # fmt: skip

    def scores(size: int, centre: float) -> torch.Tensor:
        common, specific = torch.randn(size, generator=shared_rng), torch.randn(size, generator=rng)
        return (centre + 1.5 * common + specific).exp()

    units = {"model.embed_tokens.weight": scores(120_000, -8)}
    units["model.embed_tokens.weight"][60_000:] = 0
    for layer in range(layers):
        for index, (module, size) in enumerate(sizes.items()):
            centre = -4 - index / 3 - ((layer - 8) / 8) ** 2
            units[f"model.layers.{layer}.{module}"] = scores(size, centre)
    units["model.norm.weight"] = scores(1536, -3)
    info = FisherInfo("empirical", "input", 128, 1500, "0123456789abcdef", task)
    return FisherScores(units, dict.fromkeys(units, 0), None, info)


def made_masks(tasks: Sequence[str] = TASKS, keep: float = 0.3) -> dict[str, Mask]:
    """Masks of related scores, so that they overlap more than chance."""
    shared = made_scores()
    masks = {}
    for index, task in enumerate(tasks):
        scores_of_task = made_scores(task, seed=index + 1)
        for name, scores in scores_of_task.units.items():
            scores += shared.units[name] * (1 + index % 3)
        masks[task] = Mask.top(scores_of_task, keep)
    return masks


def made_config(method: str, tasks: Sequence[str] = TASKS, **more: Any) -> RunConfig:
    """A configuration that could have been used."""
    settings: dict[str, Any] = {
        "model": "tiny", "model_fingerprint": "0123456789abcdef", "tasks": "trace-mini",
        "task_names": list(tasks), "task_fingerprint": "fedcba9876543210",
        "general": "trace-mini", "method": method, "seed": 0, "epochs": 5, "batch_size": 32,
        "lr": 5e-4, "max_length": 256, "probe": 8,
    }  # fmt: skip
    return RunConfig(**{**settings, **more})


def made_run(
    path: Path,
    method: str = "fggm",
    tasks: Sequence[str] = TASKS,
    *,
    done: int | None = None,
    general: str | None = "higher",
    points: int = 5,
    **more: Any,
) -> Run:
    """A run whose scores fall with every later task, as many tasks `done` as asked for.

    Args:
        done: tasks finished (None: all); a further one is half done.
        general: `higher` (a score), `lower` (a loss) or None (not measured).
    """
    names = list(tasks)
    run = Run.create(path / method, made_config(method, tasks, **more))
    finished = len(names) if done is None else done
    run.append({"kind": "start", "time": "2026-11-24T00:00:00+00:00",
                "steps": [STEPS] * len(names)})  # fmt: skip
    _evaluate(run, names, -1, 0, True, general)
    for index in range(min(finished + (done is not None), len(names))):
        half = index >= finished
        for k in range(1, STEPS // (2 if half else 1) + 1):
            step = index * STEPS + k
            run.append({"kind": "step", "task": index, "task_step": k, "step": step,
                        "loss": 2.0 / k, "lr": 5e-4, "norm": 1.0})  # fmt: skip
            if k % (STEPS // points) == 0 and k < STEPS:
                _evaluate(run, names[: index + 1], index, step, False, general)
        if half:
            break
        _evaluate(run, names, index, (index + 1) * STEPS, True, general)
        run.append({"kind": "task", "task": index, "name": names[index],
                    "seconds": {"score": 1.0, "train": 8.0, "evaluate": 2.0},
                    "peak_memory_mb": 512.0 + index, "kept": 300, "units": 1000,
                    "truncated": 0})  # fmt: skip
        scores = made_scores(names[index], seed=index + 1)
        moved = {name: units.sqrt() / (index + 1) for name, units in scores.units.items()}
        if method in ("fggm", "random"):
            mask = Mask.top(scores, 0.3)
            mask.save(run.file("masks", index))
            moved = {name: units * mask.units[name] for name, units in moved.items()}
            if method == "fggm":
                scores.save(run.file("fisher", index))
        run.file("drift", index).parent.mkdir(exist_ok=True)
        save_file(moved, run.file("drift", index))
    if finished == len(names):
        run.append({"kind": "end", "time": "2026-11-24T00:02:00+00:00", "seconds": 88.0})
    run.save_scores(
        ScoreMatrix.from_events(
            names,
            run.events("evaluation"),
            "trace-mini" if general else None,
            "lower" if general == "lower" else "higher",
        )
    )
    return run


def with_costs(run: Run) -> Run:
    """A copy of a run that counted, in each task, 1,000 tokens forward and 3,000 backward, and
    whose model moved by 0.1 nats per token with each task, on the task itself by 0.2."""
    folder = run.path.parent.with_name(f"{run.path.parent.name}-with-costs") / run.path.name
    if not folder.exists():
        shutil.copytree(run.path, folder)
        log = folder / "events.jsonl"
        events: list[dict[str, Any]] = [{**event} for event in run.events()]
        ways = {"forward": 1000, "backward": 3000, "forward_padded": 2000, "backward_padded": 4000}
        for event in events:
            if event["kind"] == "task":
                moved = event["task"] + 1
                event["tokens"] = {"train": ways}
                event["distance"] = {"own_samples": moved / 10, "new_task": moved / 5}
        log.unlink()
        for event in events:
            append_event(log, event)
    return Run.open(folder)


def runs_of_methods(folder: Path) -> list[Run]:
    """The same eight tasks under four methods."""
    return [made_run(folder, method) for method in METHODS]


def run_of(
    path: Path,
    matrix: Sequence[Sequence[float | None]],
    *,
    general: Sequence[float | None] = (),
    better: Any = "higher",
    finished: bool = True,
    **more: Any,
) -> Run:
    """A run with a score matrix worked out by hand, of the tasks A, B, …

    Args:
        general: after each task.
        better: `higher` or `lower`, of General.
        more: the configuration's settings, `method` and `seed` above all.
    """
    names = [chr(ord("A") + i) for i in range(len(matrix))]
    run = Run.create(path, made_config(**{"method": "sft", "tasks": names, **more}))
    for index, row in enumerate(matrix):
        if all(value is None for value in row):
            continue
        ability = general[index] if index < len(general) else None
        run.append({"kind": "evaluation", "task": index, "task_step": 1, "step": index + 1,
                    "final": True, "general": None if ability is None else {"score": ability},
                    "tasks": {n: {"score": v} for n, v in zip(names, row, strict=True)
                              if v is not None}})  # fmt: skip
    if finished:
        run.append({"kind": "end", "time": "2026-11-24T00:02:00+00:00", "seconds": 1.0})
    measured = any(value is not None for value in general)
    run.save_scores(
        ScoreMatrix.from_events(
            names, run.events("evaluation"), "skills" if measured else None, better
        )
    )
    return run


def _evaluate(
    run: Run, measured: Sequence[str], index: int, step: int, final: bool, general: str | None
) -> None:
    names = run.config.task_names
    if not run.config.training.score_unlearned:
        measured = [name for name in measured if names.index(name) <= index]
    share = (step - index * STEPS) / STEPS if index >= 0 else 0
    loss = LOSS.get(run.config.method, 0.4)
    scores = {}
    for name in measured:
        task_index = names.index(name)
        if task_index > index:
            score = min(0.1 + 0.02 * task_index, 0.5)
        elif task_index == index:
            score = 0.1 + 0.85 * share
        else:
            score = 0.95 * (1 - loss) ** (index - task_index - 1 + share)
        if not final:
            score = round(score * 8) / 8
        scores[name] = {"score": score, "exact": score / 2, "nll": 2 - score,
                        "examples": 100 if final else 8}  # fmt: skip
    event: dict[str, Any] = {"kind": "evaluation", "task": index, "task_step": step,
                             "step": step, "final": final, "tasks": scores}  # fmt: skip
    ability = 0.95 * (1 - loss / 6) ** (step / STEPS)
    if general:
        event["general"] = {"score": ability if general == "higher" else 4 - 2 * ability,
                            "skills": {"copy": ability}}  # fmt: skip
    else:
        event["general"] = None
    run.append(event)
