"""A sweep shows no finished run beside a model, tokenizer, tasks or General that are others now."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fggm_lab.models
from tests.support.command_line import Asking, CommandResult
from tests.support.families import character_tokenizer
from tests.support.small import small_model


def change_answer(path: Path) -> None:
    """Change the first answer of a file of examples."""
    rows = json.loads(path.read_text())
    path.write_text(json.dumps([rows[0] | {"answer": rows[0]["answer"] + "b"}, *rows[1:]]))


def change_tokenizer(folder: Path) -> None:
    """Give a model's tokenizer a chat template."""
    tokenizer = character_tokenizer()
    tokenizer.chat_template = "{{ messages }}"
    tokenizer.save_pretrained(folder)


def change_weight(folder: Path) -> None:
    """Change a weight of a model."""
    network = small_model()
    next(network.parameters()).data[0, 0] += 1
    network.save_pretrained(folder)


def test_finished_runs_are_refused_once_what_they_were_made_of_has_changed(
    call: Callable[..., CommandResult],
    asking: Asking,
    model: Path,
    tasks: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, general = tmp_path / "out", tmp_path / "general.json"
    general.write_text(json.dumps([{"prompt": "a", "answer": "b"}]))
    orders = ("--order", "default", "--order", "mine,FOMC")
    words = asking(out, "--methods", "sft", *orders, "--general", general)
    assert call(*words, "--seeds", "1").status == 0

    loads: list[Any] = []
    real = fggm_lab.models.load_model

    def counting(*source: Any, **how: Any) -> Any:
        loads.append(source)
        return real(*source, **how)

    monkeypatch.setattr(fggm_lab.models, "load_model", counting)
    result = call(*words, "--seeds", "1")
    assert result.status == 0 and "2 of 2 runs are finished" in result.out
    assert len(loads) == 1, "both orders are of one model"

    changes: dict[str, tuple[Callable[[Path], None], Path]] = {
        "task": (change_answer, tasks / "mine" / "test.json"),
        "general": (change_answer, general),
        "tokenizer": (change_tokenizer, model),
        "model": (change_weight, model),
    }
    before = tmp_path / "before"
    for name, (change, path) in changes.items():
        shutil.copytree(model, before / "model", dirs_exist_ok=True)
        content = path.read_bytes() if path.is_file() else b""
        change(path)
        refusal = call(*words, "--seeds", "1-2").refusal
        assert f"{out}/default/seed-1/sft, {out}/mine,FOMC/seed-1/sft: what" in refusal
        different = [field for field in changes if f"{field}_fingerprint: " in refusal]
        assert different == [name] and "name another --out, or remove" in refusal
        if path.is_file():
            path.write_bytes(content)
        shutil.rmtree(model)
        shutil.copytree(before / "model", model)
    assert not (out / "default" / "seed-2").exists(), "nothing is trained beside what is refused"

    shutil.rmtree(tasks)
    result = call(*words, "--seeds", "1")
    assert result.status == 0 and "finished runs are not compared" in result.out
