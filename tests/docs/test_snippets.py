"""Every Python snippet of the README and the how-tos runs as printed, on small inputs."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast, Trainer, TrainingArguments

import fggm_lab as lab
from fggm_lab.errors import SettingError
from fggm_lab.models.encoding import collate, encode
from tests.support.families import character_tokenizer, tiny_model
from tests.support.pages import ROOT, Block, blocks

PAGES = (
    "README.md",
    *sorted(f"docs/howto/{path.name}" for path in (ROOT / "docs/howto").iterdir()),
)

NOT_RUN: dict[str, str] = {
    "problems = lab.read_problems": "runs what a model writes: only where programs can be shut in",
}
"""First line of a snippet that a machine may be unable to run → why."""

SHELL_NOT_RUN = {
    "accelerate": "starts several processes, as test_data_parallel does",
    "torchrun": "starts several processes, as test_data_parallel does",
    "fggm-lab": "trains; test_quoted checks its command and options",
    "python": "asks the reader's machine; test_sandbox checks what it prints",
    "make": "installs, trains or tests for minutes; test_quoted checks its target",
    "pip": "installs; test_packaging checks the extras",
    "export": "sets a path of the reader's machine",
    "tensorboard": "serves a page; test_trackers reads what it would show",
}
"""Program at the beginning of a line for the shell → why the line is only parsed."""

TREE = "my_tasks/"
"""First line of the one block without a language that shows a folder."""

TEXTS = [
    (f"Is {word} a penalty? Answer:", f" {word[0]}es") for word in ("yam", "nut", "yew", "net")
]


def sandboxed() -> bool:
    try:
        lab.tasks.isolation()
    except SettingError:
        return False
    return True


def small() -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A model that any machine trains in a second."""
    return tiny_model("llama", dtype=torch.float32, context=128, layers=4), character_tokenizer()


def write_inputs(folder: Path) -> None:
    """What the pages name: a model's folder, tasks, a held-out text, problems, finished runs."""
    model, tokenizer = small()
    model.save_pretrained(folder / "models/my-model")
    tokenizer.save_pretrained(folder / "models/my-model")
    for name in ("Contracts", "Tickets"):
        (folder / "my_tasks" / name).mkdir(parents=True)
        for split in ("train", "test"):
            examples = [{"prompt": prompt, "answer": answer} for prompt, answer in TEXTS]
            (folder / "my_tasks" / name / f"{split}.json").write_text(json.dumps(examples))
    (folder / "held_out.txt").write_text("the dog and the cat and the fox. " * 20)
    problem = {"task_id": "a", "prompt": "a = ", "canonical_solution": "1", "test": "assert a == 1"}
    (folder / "humaneval.jsonl").write_text(json.dumps(problem))
    tasks = lab.load_tasks(folder / "my_tasks")
    for seed in (1, 2):
        for method in ("fggm", "random"):
            out = folder / "runs/sweep/default" / f"{method}-{seed}"
            lab.run_sequence(model, tokenizer, tasks, method, out=out, seed=seed, epochs=1)


def names_used(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """What the pages take for granted: a training script's own names."""
    examples = [lab.Example(prompt, answer) for prompt, answer in TEXTS]
    encoded = encode(tokenizer, examples, 64)
    batch = collate(encoded, pad=0)
    length = batch["input_ids"].shape[1]
    even = [item for item in encoded if len(item) == length]
    rows = [{name: tensor[0] for name, tensor in collate([item], pad=0).items()} for item in even]
    dataset = [{"prompt": prompt, "answer": answer} for prompt, answer in TEXTS]
    args = TrainingArguments("trainer", use_cpu=True, report_to=[], max_steps=1, disable_tqdm=True)
    return {
        "model": model,
        "tokenizer": tokenizer,
        "batches": [batch],
        "args": args,
        "data": rows,
        "dataset": dataset,
    }


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


@pytest.fixture
def workplace(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own to stand in; what is shipped is replaced by something smaller."""
    shutil.copytree(inputs, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    load_model, load_tasks = lab.load_model, lab.load_tasks

    def model(name: str | Path, **settings: Any) -> Any:
        return small() if name == "tiny" else load_model(name, **settings)

    def tasks(name: str | Path, **settings: Any) -> Any:
        if name == "trace-mini":
            settings["order"] = ("FOMC", "C-STANCE")
        return load_tasks(name, **settings).limited(2)

    monkeypatch.setattr(lab, "load_model", model)
    monkeypatch.setattr(lab, "load_tasks", tasks)
    return tmp_path


def run_block(block: Block, namespace: dict[str, Any]) -> None:
    text = (ROOT / block.page).read_text(encoding="utf-8")
    line = text[: text.index(block.code)].count("\n")
    exec(compile("\n" * line + block.code, str(ROOT / block.page), "exec"), namespace)


@pytest.mark.parametrize("page", sorted({block.page for block in blocks("python")} & {*PAGES}))
def test_the_snippets_of_a_page_run_one_after_the_other(workplace: Path, page: str) -> None:
    if page != "README.md":  # which makes its own
        shutil.copytree("runs/sweep/default/fggm-1", "runs/mine/fggm")
    namespace: dict[str, Any] = {"__name__": "__main__", "lab": lab, **names_used(*small())}
    for block in blocks("python"):
        if block.page != page:
            continue
        reasons = [why for start, why in NOT_RUN.items() if block.code.startswith(start)]
        if reasons and not sandboxed():
            continue
        run_block(block, namespace)


def test_the_trainer_line_of_the_readme_runs(workplace: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    match = re.search(r"`(Trainer\([^`]+\))`", text)
    assert match is not None
    namespace: dict[str, Any] = {"lab": lab, "Trainer": Trainer, **names_used(*small())}
    eval(match[1].replace("\n", " "), namespace).train()


def test_what_is_not_run_is_still_there() -> None:
    codes = [block.code for block in blocks("python")]
    assert all(any(code.startswith(start) for code in codes) for start in NOT_RUN)


def test_every_shell_line_parses_and_is_of_a_known_program() -> None:
    pages = [block for block in blocks("", "bash", "sh", "console") if block.page in PAGES]
    shown = [block.code for block in pages if not block.code.startswith(TREE)]
    lines = [line for code in shown for line in code.replace("\\\n", " ").splitlines() if line]
    programs = {shlex.split(line, comments=True)[0] for line in lines}
    assert programs == SHELL_NOT_RUN.keys()
