"""The core does without the extras' libraries, and what needs one says in a sentence which."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fggm_lab import extras, project
from fggm_lab.errors import MissingExtra, OldVersion

HIDE = """
import sys

HIDDEN = {"anywidget", "captum", "gguf", "ipywidgets", "jupyterlab", "kaleido", "lm_eval", "nbval",
          "peft", "plotly", "rapidfuzz", "rouge_score", "submitit", "tensorboard"}


class Hiding:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, *more):
        return None if name.partition(".")[0] in HIDDEN else self.finder.find_spec(name, *more)


sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path]
"""
"""Python code that makes the extras' libraries look as if they were not installed."""

CORE = """
from transformers import Trainer, TrainingArguments

import fggm_lab as lab
from fggm_lab.cli import main

model, tokenizer = lab.load_model("tiny")
examples = lab.load_tasks("trace-mini")["FOMC"].train[:4]
mask = lab.Mask.top(lab.fisher_scores(model, tokenizer, examples), keep=0.3)
batch = lab.collate(lab.encode(tokenizer, examples, 128), pad=0)
rows = [{name: tensor[i].tolist() for name, tensor in batch.items()} for i in range(4)]
arguments = TrainingArguments(
    "trainer", max_steps=1, use_cpu=True, report_to=[], disable_tqdm=True, save_strategy="no"
)
callback = lab.FGGMCallback(keep=0.3)
Trainer(model, arguments, train_dataset=rows, callbacks=[callback]).train()
assert callback.mask.info.keep == mask.info.keep
for words in (
    ["run", "--methods", "sft,fggm", "--order", "FOMC,NumGLUE-cm", "--limit", "2", "--epochs", "1",
     "--points", "0", "--general", "none", "--out", "runs"],
    ["compare", "runs", "--csv", "runs.csv"],
    ["info", "runs/fggm"],
    ["info"],
    ["lab", "--no-open"],
):
    sys.argv = ["fggm-lab", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, words
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & HIDDEN
"""
"""Scores, masks, trains in three ways, and calls the command line."""

NEEDS_AN_EXTRA = {
    "lab.attribution": ("attribution", "captum"),
    "lab.plots": ("plots", "plotly"),
    "lab.write_report([], 'report.html')": ("plots", "plotly"),
    "lab.MaskPlayground": ("notebook", "anywidget, ipywidgets"),
    "lab.LiveTraining": ("notebook", "anywidget, ipywidgets"),
    "lab.LoRA().check(1)": ("lora", "peft"),
    "lab.tasks.score('rouge_l', '', 'a', 'a')": ("text", "rouge-score"),
    "lab.tasks.score('edit_similarity', '', 'a', 'a')": ("text", "rapidfuzz"),
    "harness_general(None, None, ['boolq'])": ("harness", "lm-eval"),
}
"""Python code → the extra it needs, and the library of it that is named."""


def run_hidden(folder: Path, code: str) -> str:
    """Run code where the extras' libraries are hidden; what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", HIDE + code], cwd=folder, text=True, capture_output=True,
        check=False, env=os.environ | {"PYTHONPATH": str(project.CHECKOUT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_core_scores_masks_trains_and_compares_without_any_extra(tmp_path: Path) -> None:
    run_hidden(tmp_path, CORE)
    assert (tmp_path / "runs.csv").is_file()


def test_each_missing_extra_is_named_with_the_line_that_installs_it(tmp_path: Path) -> None:
    code = f"""
import json

import fggm_lab as lab
from fggm_lab.evaluation.lm_evaluation_harness import harness_general

sentences = {{}}
for code in {list(NEEDS_AN_EXTRA)}:
    try:
        eval(code)
    except lab.LabError as error:
        sentences[code] = str(error)
print(json.dumps(sentences))
"""
    sentences = json.loads(run_hidden(tmp_path, code).splitlines()[-1])
    for code, (extra, library) in NEEDS_AN_EXTRA.items():
        end = f'needs {library}; install with: pip install "fggm-lab[{extra}]"'
        assert sentences[code].endswith(end), (code, sentences[code])


def test_commands_ask_for_an_extra_before_they_train(tmp_path: Path) -> None:
    code = """
import contextlib
import io

from fggm_lab.cli import main

for words in (["demo"], ["lab"], ["report", "."], ["run", "--methods", "sft,lora", "--out", "runs"],
              ["run", "--methods", "sft", "--order", "MeetingBank", "--out", "runs"]):
    sys.argv = ["fggm-lab", *words]
    with contextlib.redirect_stderr(io.StringIO()) as refusal:
        try:
            main()
        except SystemExit as end:
            assert end.code == 2, words
    print(words[0], refusal.getvalue().count("error: "), "pip install" in refusal.getvalue())
"""
    lines = run_hidden(tmp_path, code).splitlines()
    assert lines == ["demo 1 True", "lab 1 True", "report 1 True", "run 1 True", "run 1 True"]
    assert list(tmp_path.glob("**/scores.json")) == []
    assert not (tmp_path / "fggm-course").exists()


def test_libraries_of_several_extras_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "is_installed", lambda module: False)
    with pytest.raises(MissingExtra) as refusal:
        extras.require("this", "captum", "rouge_score", "rapidfuzz")
    assert str(refusal.value) == (
        "this needs captum, rouge-score, rapidfuzz; "
        'install with: pip install "fggm-lab[attribution,text]"'
    )


def test_the_smallest_extra_is_named_in_whatever_order_the_metadata_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = {"core": [], "all": ["peft", "plotly"], "lora": ["peft"], "dev": ["peft", "ruff"]}
    monkeypatch.setattr(extras, "requirements", lambda: listed)
    monkeypatch.setattr(extras, "is_installed", lambda module: False)
    with pytest.raises(MissingExtra, match=r"fggm-lab\[lora\]"):
        extras.require("this", "peft")


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_a_library_too_old_is_a_sentence_with_the_lowest_version(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {"torch": "2.6.0+cpu", "transformers": "99.0", package: "1.13.1"}
    monkeypatch.setattr(extras, "installed", versions.get)
    with pytest.raises(OldVersion, match=rf"{package} 1\.13\.1 is installed.* or newer"):
        extras.check_versions.__wrapped__()


def test_the_lowest_versions_themselves_and_unknown_ones_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extras, "installed", project.lower_bounds().get)
    extras.check_versions.__wrapped__()
    monkeypatch.setattr(extras, "installed", lambda name: None)
    extras.check_versions.__wrapped__()
