"""The sentence about runs: paired numbers of the runs themselves, and honest about one seed."""

from collections.abc import Callable
from pathlib import Path

from fggm_lab.course import stored_runs
from fggm_lab.runs import Run, comparison
from fggm_lab.runs.finding import finding
from fggm_lab.runs.paired import paired

MakeRun = Callable[..., Run]


def test_of_one_seed_it_says_so(tmp_path: Path, finished_run: MakeRun) -> None:
    runs = [
        finished_run(tmp_path / method, score, method=method)
        for method, score in (("sft", 0.3), ("fggm", 0.5), ("random", 0.4))
    ]
    op = {row["method"]: row["op_final"] for row in comparison(runs)}
    sentence = finding(runs)
    assert sentence is not None
    higher = op["fggm"] - op["sft"]
    assert sentence.startswith(f"fggm ends {higher:.3f} higher than sft on the tasks (OP), forgets")
    assert sentence.endswith("One seed each: a small difference may be chance.")
    assert finding(list(reversed(runs))) == sentence


def test_of_several_seeds_it_gives_the_paired_interval(
    tmp_path: Path, finished_run: MakeRun
) -> None:
    runs = [
        finished_run(tmp_path / f"{method}{seed}", score + seed / 50, method=method, seed=seed)
        for method, score in (("sft", 0.5), ("fggm", 0.3))
        for seed in (1, 2, 3 if method == "sft" else 4)
    ]
    (row,) = paired(runs, "sft", ["op_final"])
    sentence = finding(runs)
    assert sentence is not None and row["n"] == 2
    assert f"fggm ends {-row['mean']:.3f} lower than sft on the tasks (OP) [" in sentence
    assert f"[{-row['high']:.3f} to {-row['low']:.3f}]" in sentence
    assert sentence.endswith("Means of 2 pairs of one seed, with 95 % intervals.")


def test_a_general_that_is_a_loss_is_called_one() -> None:
    runs = stored_runs("real", "sft", "fggm")
    before, after = (row["general_after"] for row in comparison(runs))
    sentence = finding(runs)
    assert sentence is not None
    assert f"ends {before - after:.3f} lower in the loss on General" in sentence
    assert "fggm keeps General best" not in sentence


def test_without_a_common_seed_or_a_second_method_nothing_is_claimed(
    tmp_path: Path, finished_run: MakeRun
) -> None:
    sft = finished_run(tmp_path / "sft", 0.5, method="sft", seed=1)
    fggm = finished_run(tmp_path / "fggm", 0.6, method="fggm", seed=2)
    sentence = finding([sft, fggm])
    assert sentence is not None and "share no seed" in sentence
    assert finding(sft) is None
