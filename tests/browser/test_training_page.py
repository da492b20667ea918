"""The page that trains computes what the library computes: losses, scores, masks, frozen units."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fggm_lab as lab
from fggm_lab.masks import Mask
from fggm_lab.methods.base import Plan, TaskContext
from fggm_lab.methods.masking import TaskMasking

KEEP = 0.3
EXAMPLES = 4
STEPS = 10

TRAIN = """([method, keep, examples, steps]) => new Promise((resolve, reject) => {
  DATA.config.fisherExamples = examples;
  const got = {losses: []};
  const worker = trainer(method, keep, (report) => {
    if (report.kind === "failed") reject(new Error(report.message));
    if (report.kind === "step") got.losses.push(report.loss);
    if (report.kind === "mask" && report.index === 0) Object.assign(got, report);
    if (report.kind === "done") { worker.terminate(); resolve(plain(got)); }
  }, {steps, measure: false});
  const plain = ({losses, mask, scores}) => {
    const lists = (record) => Object.fromEntries(
      Object.entries(record ?? {}).map(([name, values]) => [name, Array.from(values)]));
    return {losses, mask: lists(mask), scores: lists(scores)};
  };
})"""


@dataclass(frozen=True)
class MaskFromFile(TaskMasking):
    """Trains under a mask that was written to a file."""

    name = "given"
    file: str = ""

    def cut(self, context: TaskContext) -> Plan:
        """The file's mask."""
        return Plan(Mask.load(self.file))


@pytest.fixture
def trained(browser: Any, site: Path) -> Iterator[dict[str, Any]]:
    """What the page reports of FGGM's first steps, opened from disk."""
    page = browser.new_page()
    try:
        page.goto((site / "try" / "index.html").as_uri())
        yield page.evaluate(TRAIN, ["fggm", KEEP, EXAMPLES, STEPS])
    finally:
        page.close()


def test_scores_mask_and_ten_losses_are_the_librarys(
    trained: dict[str, Any], tmp_path: Path
) -> None:
    model, tokenizer = lab.load_model("tiny", device="cpu")
    tasks = lab.load_tasks("trace-mini", order=["NumGLUE-cm", "NumGLUE-ds"])
    scores = lab.fisher_scores(model, tokenizer, tasks[0].train[:EXAMPLES])
    assert trained["scores"].keys() == trained["mask"].keys() == scores.units.keys()
    for name, units in scores.units.items():
        np.testing.assert_allclose(trained["scores"][name], units, rtol=1e-3, atol=1e-12)
    same = {
        name: torch.tensor(trained["scores"][name], dtype=torch.float64) for name in scores.names
    }
    mask = Mask.top(replace(scores, units=same), KEEP)
    assert trained["mask"] == {name: bits.int().tolist() for name, bits in mask.units.items()}

    mask.save(tmp_path / "mask.safetensors")
    questions = iter(range(1, STEPS + 1))
    run = lab.run_sequence(
        model, tokenizer, tasks, MaskFromFile(file=str(tmp_path / "mask.safetensors")),
        tmp_path / "run",
        pause=lambda: next(questions) == STEPS, lr=1.5e-3, epochs=4, limit=160, points_per_task=0,
        score_limit=1,
    )  # fmt: skip
    losses = [event["loss"] for event in run.events("step")]
    assert len(losses) == STEPS
    np.testing.assert_allclose(trained["losses"], np.array(losses, dtype=float), atol=1e-4)


def test_it_can_be_paused_and_says_what_it_does(browser: Any, site: Path) -> None:
    page = browser.new_page(viewport={"width": 400, "height": 900})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    try:
        page.goto((site / "try" / "index.html").as_uri())
        page.get_by_role("button", name="Train").click()
        page.get_by_role("button", name="Pause").click()
        assert "Paused" in page.locator("#state").inner_text()
        assert page.locator("#keep").is_disabled()
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("button", name="Stop").click()
        assert page.locator("#keep").is_enabled() and problems == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        assert all(url.startswith(("file:", "blob:")) for url in requests)
    finally:
        page.close()
