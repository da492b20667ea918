"""The page writes numbers as Python does."""

import json
import math
import random
import shutil
import subprocess

import pytest

from fggm_lab.plots.template import format_text
from tests.explorer.test_cut import PAGE

SPECS = (".0f", ".1f", ".2f", ".3f", "+.1f", ",.0f", ",.1f", ".1%", ".2%", ".3g", ".1e", "percent",
         "cell")  # fmt: skip
SCRIPT = """
import { readFileSync } from "node:fs";
const { formatText } = await import(process.argv[1]);
const texts = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(texts.map(([text, value]) => formatText(text, { value }))));
"""


def numbers() -> list[float]:
    """Numbers of all sizes, and many that lie halfway between two that are printed."""
    rng = random.Random(0)
    halves = [n / 2**power for power in range(6) for n in range(200)]
    sizes = [rng.random() * 10 ** rng.randint(-9, 6) for _ in range(300)]
    return [0.0, 1.0, 0.9996, 0.0004, 999.95, 12345678.5, *halves, *sizes]


@pytest.mark.skipif(shutil.which("node") is None, reason="node runs the page's code")
def test_numbers_read_alike() -> None:
    texts = [(f"{{value:{spec}}}", value) for spec in SPECS for value in numbers()]
    texts += [("{value:+.1f}", -value) for value in numbers()]
    texts += [("{value:,}", int(value)) for value in numbers()]
    done = subprocess.run(
        ["node", "--input-type=module", "-e", SCRIPT, (PAGE / "fill.js").as_uri()],
        input=json.dumps(texts), capture_output=True, text=True, check=True,
    )  # fmt: skip
    python = [format_text(text, {"value": value}) for text, value in texts]
    page = json.loads(done.stdout)
    wrong = [t for t in zip(texts, python, page, strict=True) if t[1] != t[2]]
    assert not wrong, wrong[:10]
    assert any(math.copysign(1, value) < 0 for _, value in texts)
