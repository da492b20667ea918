"""Fixtures every room's tests share."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from fggm_lab.cli import main
from tests.support.cases import Case
from tests.support.command_line import CommandResult
from tests.support.families import FAMILIES, character_tokenizer, some_examples, tiny_model
from tests.support.site import built_site

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So begins what a shell starts in the background, and with it the programs under test.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real inputs: FGGM_LAB_SHARED, else `../shared` beside the repository.

    Where it is absent the test is skipped, or fails if FGGM_LAB_REQUIRE_SHARED is 1, as in CI.
    """
    setting = os.environ.get("FGGM_LAB_SHARED")
    folder = Path(setting) if setting else Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        refuse = pytest.fail if os.environ.get("FGGM_LAB_REQUIRE_SHARED") == "1" else pytest.skip
        refuse(f"no real inputs at {folder}; set FGGM_LAB_SHARED to their folder")
    return folder


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """One token per character."""
    return character_tokenizer()


@pytest.fixture(
    params=[(f, t, a) for f in FAMILIES for t in (True, False) for a in ("eager", "sdpa")],
    ids=lambda p: f"{p[0]}-{'tied' if p[1] else 'untied'}-{p[2]}",
)
def case(request: pytest.FixtureRequest, tokenizer: PreTrainedTokenizerFast) -> Iterator[Case]:
    """Every family, with tied and untied head, eager and sdpa attention."""
    family, tied, attention = request.param
    model = tiny_model(family, tied=tied, attention=attention, dtype=torch.float64)
    yield Case(family, tied, attention, model, tokenizer, some_examples())


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation's built site."""
    return built_site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., CommandResult]:
    """Run the command line in this process, by the words after `fggm-lab`."""

    def run(*words: object) -> CommandResult:
        capsys.readouterr()
        monkeypatch.setattr("sys.argv", ["fggm-lab", *map(str, words)])
        try:
            main()
            status = 0
        except SystemExit as stop:
            status = int(stop.code or 0)
        return CommandResult(status, *capsys.readouterr())

    return run
