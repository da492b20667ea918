"""Rows of peft's method comparison whose mask is cut from the Fisher of MetaMathQA.

python experiments/peft-comparison/train.py --dry-run
python experiments/peft-comparison/train.py ROW --comparison peft/method_comparison/MetaMathQA

peft's own `run.py` loads, trains, evaluates and writes the result. What is put in its place is how
the model is made: it is scored on training examples first, as they are trained on (every token of
question and answer), and the mask is peft's `mask_fn` (a row with an `adapter_config.json`) or
holds weights still (a row without one, which is full fine-tuning under FGGM's mask).
"""

import importlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from peft import PeftConfig, ShiraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from fggm_lab.checks import check_count
from fggm_lab.errors import LabError, SettingError
from fggm_lab.fisher import fisher_scores
from fggm_lab.mask_settings import check_keep, check_scope
from fggm_lab.masks import Mask
from fggm_lab.methods import fisher_mask_fn
from fggm_lab.models.encoding import Encoded, collate
from fggm_lab.seeds import derived_rng
from fggm_lab.training.masked_gradients import MaskedGradients

ROWS = Path(__file__).parent / "experiments"
MASK_FILE = "mask.json"
SHIRA_TARGETS = ("q_proj", "v_proj")
"""What peft adapts in Llama by SHiRA if the row does not say."""


@dataclass(frozen=True)
class MaskSettings:
    """A row's `mask.json`.

    Attributes:
        examples: how many training examples are scored.
        keep: the share of units that may move, where the row is full fine-tuning.
        scope: whether the share is taken within each `parameter` or over the whole model
            (`global`).
        aggregation: what a unit is: a row (`input`) or an entry (`none`).
    """

    examples: int = 512
    keep: float = 0.3
    scope: str = "parameter"
    aggregation: str = "input"

    def __post_init__(self) -> None:
        check_count("examples", self.examples)
        check_keep(self.keep)
        check_scope(self.scope)


@dataclass(frozen=True)
class Row:
    """One row of the comparison.

    Attributes:
        name: `method/variation`, as peft calls it.
        folder: where its files lie.
        mask: how its mask is cut.
        adapter: peft's configuration; None for full fine-tuning.
    """

    name: str
    folder: Path
    mask: MaskSettings
    adapter: ShiraConfig | None


def row_names() -> list[str]:
    """The rows there are."""
    return sorted(str(file.parent.relative_to(ROWS)) for file in ROWS.glob(f"*/*/{MASK_FILE}"))


def read_row(name: str) -> Row:
    """A row by its name.

    Args:
        name: `method/variation`.

    Returns:
        The row.

    Raises:
        SettingError: there is none of that name, or a file of it says what it may not.
    """
    folder = ROWS / name
    file = folder / MASK_FILE
    if not file.exists():
        raise SettingError(f"no row is named '{name}'; there are: {', '.join(row_names())}")
    settings = json.loads(file.read_text(encoding="utf-8"))
    names = {field.name for field in fields(MaskSettings)}
    if unknown := sorted(set(settings) - names):
        raise SettingError(f"{file} has '{unknown[0]}'; it may have: {', '.join(sorted(names))}")
    adapter = None
    if (folder / "adapter_config.json").exists():
        adapter = PeftConfig.from_pretrained(str(folder))
        if not isinstance(adapter, ShiraConfig):
            raise SettingError(f"{folder} is of {adapter.peft_type}; only SHIRA takes a mask here")
    return Row(name, folder, MaskSettings(**settings), adapter)


def scored_examples(rows: Any, end: int, count: int, seed: int) -> list[Encoded]:
    """Training examples as the comparison trains on them: each token after the first is learned.

    Args:
        rows: the training set; `rows[i]["input_ids"]` are an example's token ids.
        end: the id of the end token, which the comparison adds.
        count: how many to draw, without replacement.
        seed: of the draw.

    Returns:
        The examples.
    """
    drawn = derived_rng(seed, 0, "scored examples").permutation(len(rows))[:count].tolist()
    ids = [list(rows[i]["input_ids"]) for i in sorted(drawn)]
    return [Encoded(tuple(tokens[:1]), (*tokens[1:], end), False) for tokens in ids]


def adapted(
    base: PreTrainedModel,
    config: ShiraConfig,
    examples: Sequence[Encoded],
    autocast: bool = True,
) -> Any:
    """A SHiRA model of the entries with the highest Fisher.

    Args:
        base: the plain model.
        config: peft's, which the mask is put into.
        examples: what is scored.
        autocast: whether peft makes the adapter's parameters float32.

    Returns:
        peft's model.
    """
    ends = tuple(f"{target}.weight" for target in config.target_modules or SHIRA_TARGETS)
    for name, parameter in base.named_parameters():
        parameter.requires_grad_(name.endswith(ends))
    scores = fisher_scores(base, None, examples, elementwise=True)
    config.mask_fn = fisher_mask_fn(scores, base)
    config.mask_type = "fisher"  # type: ignore[assignment]  # what the result will say
    return get_peft_model(base, config, autocast_adapter_dtype=autocast)


def masked(base: PreTrainedModel, row: Row, examples: Sequence[Encoded]) -> Mask:
    """FGGM's mask of the model: the units with the highest Fisher."""
    scores = fisher_scores(
        base,
        None,
        examples,
        aggregation=row.mask.aggregation,  # type: ignore[arg-type]  # checked there
        elementwise=row.mask.aggregation == "none",
    )
    return Mask.top(scores, row.mask.keep, check_scope(row.mask.scope))


class Comparison:
    """peft's `run.py`, which makes its model as a row says."""

    def __init__(self, folder: Path, row: Row) -> None:
        """Args:
        folder: `method_comparison/MetaMathQA` of a checkout of peft.
        row: what to train.

        Raises:
            SettingError: the folder has no such program, or one of another form.
        """
        if not (folder / "run.py").exists():
            raise SettingError(
                f"{folder} has no run.py; give method_comparison/MetaMathQA of a checkout of peft"
            )
        self.row = row
        sys.path.insert(0, str(folder.resolve()))
        os.chdir(folder)
        self.run, self.utils = (importlib.import_module(name) for name in ("run", "utils"))
        needed = (
            "get_model", "get_optimizer_and_scheduler", "get_train_valid_test_datasets",
            "get_train_config", "get_tokenizer", "main",
        )  # fmt: skip
        if missing := [name for name in needed if not hasattr(self.run, name)]:
            raise SettingError(
                f"{folder / 'run.py'} has no {missing[0]}; it is of another version than this "
                "program, which was written for that of August 2026"
            )
        self._load, self._optimizer = (
            self.run.get_train_valid_test_datasets,
            self.run.get_optimizer_and_scheduler,
        )
        self._data: Any = None
        self._mask: Mask | None = None
        self._masking: MaskedGradients | None = None

    def train(self) -> None:
        """Train the row; peft's program writes the result."""
        vars(self.run).update(
            get_model=self.make_model,
            get_optimizer_and_scheduler=self.make_optimizer,
            get_train_valid_test_datasets=self.data,
            print_verbose=lambda *words: print(*words, file=sys.stderr),
        )
        self.run.main(
            path_experiment=str(self.row.folder),
            experiment_name=self.row.name,
            clean=True,
            bucket_name=None,
        )

    def data(self, **settings: Any) -> Any:
        """The comparison's data, loaded once."""
        if self._data is None:
            self._data = self._load(**settings)
        return self._data

    def make_model(self, *, peft_config: Any, **settings: Any) -> Any:
        """The model that peft's program trains, in place of its `get_model`."""
        autocast = settings.pop("autocast_adapter_dtype")
        if settings.pop("compile"):
            raise SettingError("a row with a mask is trained without compilation")
        base = self.utils.get_base_model(**settings)
        config = self.run.get_train_config(str(self.row.folder / "training_params.json"))
        tokenizer = self.run.get_tokenizer(
            model_id=config.model_id, max_seq_length=config.max_seq_length
        )
        rows = self.data(tokenizer=tokenizer, query_template=config.query_template, print_fn=print)[
            0
        ]
        examples = scored_examples(
            rows, tokenizer.eos_token_id, self.row.mask.examples, config.seed
        )
        if peft_config is not None:
            return adapted(base, peft_config, examples, autocast)
        self._mask = masked(base, self.row, examples)
        return base

    def make_optimizer(self, model: Any, **settings: Any) -> Any:
        """The optimiser, which puts weights outside the mask back after each step."""
        optimizer, scheduler = self._optimizer(model, **settings)
        if self._mask is not None:
            self._masking = hold_still(model, self._mask, optimizer)
        return optimizer, scheduler


def hold_still(
    model: PreTrainedModel, mask: Mask, optimizer: torch.optim.Optimizer
) -> MaskedGradients:
    """Let only the mask's units move, in a loop of another program, which clips after backward."""
    masking = MaskedGradients(model, mask)
    for _, parameter, frozen in mask.frozen(model):
        parameter.register_post_accumulate_grad_hook(partial(clear_frozen, frozen))
    masking.attach(optimizer)
    return masking


def clear_frozen(frozen: torch.Tensor, parameter: torch.Tensor) -> None:
    """Clear the gradient of frozen units as soon as it is there."""
    if parameter.grad is not None:
        parameter.grad.masked_fill_(frozen, 0)


def tiny_model() -> PreTrainedModel:
    """A random Llama of a few thousand weights."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def rehearse(row: Row) -> tuple[int, int]:
    """Take a few steps of a row with a tiny model and random tokens, on the CPU.

    Args:
        row: the row; the rank of its adapter becomes 1.

    Returns:
        How many of the model's entries may move, and how many did.
    """
    base = tiny_model()
    before = {name: p.detach().clone() for name, p in base.named_parameters()}
    rng = derived_rng(0, 0, "rehearsal")
    rows = [{"input_ids": rng.integers(2, 64, size=12).tolist()} for _ in range(16)]
    examples = scored_examples(rows, 1, 8, 0)
    parameters = json.loads((row.folder / "training_params.json").read_text(encoding="utf-8"))
    model: Any = base
    if row.adapter is None:
        mask = masked(base, row, examples)
        frozen = sum(int(outside.expand(p.shape).sum()) for _, p, outside in mask.frozen(base))
        allowed = base.num_parameters() - frozen
    else:
        row.adapter.r = 1
        model = adapted(base, row.adapter, examples)
        allowed = model.num_parameters(only_trainable=True)
    optimizer = torch.optim.AdamW(model.parameters(), **parameters["optimizer_kwargs"])
    if row.adapter is None:
        hold_still(model, mask, optimizer)
    model.train()
    for _ in range(3):
        optimizer.zero_grad()
        model(**collate(examples[:4], 0)).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    plain = base if row.adapter is None else model.merge_and_unload()
    moved = sum(int((p.detach() != before[name]).sum()) for name, p in plain.named_parameters())
    return allowed, moved


def main(
    row: Annotated[str | None, typer.Argument(help="Its name; all in a dry run.")] = None,
    comparison: Annotated[
        Path | None, typer.Option(help="method_comparison/MetaMathQA of a checkout of peft.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="A tiny model, made-up data, three steps, no GPU.")
    ] = False,
) -> None:
    """Train a row of peft's comparison under a Fisher mask."""
    try:
        if dry_run:
            for name in row_names() if row is None else [row]:
                allowed, moved = rehearse(read_row(name))
                typer.echo(f"{name}: {allowed:,} entries may move, {moved:,} did")
            return
        if row is None or comparison is None:
            raise SettingError(
                f"give a row ({', '.join(row_names())}) and --comparison, or --dry-run"
            )
        Comparison(comparison, read_row(row)).train()
    except LabError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
