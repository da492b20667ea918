"""Families whose `.loss` does not shift the labels learn to predict, not to copy."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedModel,
    Trainer,
    TrainingArguments,
)

from fggm_lab.errors import SettingError
from fggm_lab.methods import TaskContext, make_method
from fggm_lab.models import Encoded, collate, encode
from fggm_lab.models.loss import answer_loss, own_loss_differs
from fggm_lab.settings import TrainingSettings
from fggm_lab.training.callback import FGGMCallback
from fggm_lab.training.task import make_optimizer, masking_for, train_task
from tests.support import oracle
from tests.support.families import (
    ALL_FAMILIES,
    MIXTURES,
    VOCABULARY,
    character_tokenizer,
    tiny_model,
)
from tests.support.small import context

TOKENIZER = character_tokenizer()
DECODER = {
    "d_model": 16,
    "decoder_layers": 2,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 24,
    "max_position_embeddings": 80,
    "is_decoder": True,
    "dropout": 0.0,
}
XLM = {
    "emb_dim": 16,
    "n_layers": 2,
    "n_heads": 2,
    "max_position_embeddings": 80,
    "causal": True,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}
COPYING: dict[str, dict[str, Any]] = {
    "bart": DECODER,
    "mbart": DECODER,
    "pegasus": DECODER,
    "marian": DECODER,
    "trocr": DECODER,
    "xlm": XLM,
}
"""Families that do not shift the labels in their own loss, and what makes them tiny."""


def copying_model(family: str) -> PreTrainedModel:
    """A tiny random model of a family that does not shift the labels."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        family, vocab_size=VOCABULARY, pad_token_id=0, eos_token_id=1, **COPYING[family]
    )
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(5 if parameter.ndim > 1 else 1)
    return model.eval()


def assert_step_follows_gradients(
    task: TaskContext, encoded: Sequence[Encoded], *, rtol: float, atol: float
) -> None:
    """Take a step of training on a batch, and compare it with one along the gradients present."""
    model = task.model
    expected = {
        n: (p - 0.1 * p.grad).detach() for n, p in model.named_parameters() if p.grad is not None
    }
    model.zero_grad()
    settings = TrainingSettings(
        lr=0.1, optimizer="sgd", clip=None, batch_size=len(encoded), schedule="constant"
    )
    method = make_method("sft")
    with masking_for(model, None, method) as masking:
        optimizer = masking.attach(make_optimizer(model, settings))
        train_task(task, method, masking, optimizer, settings, encoded, 1, 0, lambda report: True)
    after = dict(model.named_parameters())
    for name, value in expected.items():
        torch.testing.assert_close(after[name].detach(), value, rtol=rtol, atol=atol, msg=name)


@pytest.mark.parametrize("family", COPYING)
def test_a_step_follows_the_likelihood_of_the_next_token(family: str) -> None:
    model = copying_model(family)
    assert own_loss_differs(model)
    task = context(model)
    encoded = task.encoded[:1]
    tokens = len(encoded[0].answer)
    (-oracle.log_likelihood(model, encoded[0]) / tokens).backward()
    assert_step_follows_gradients(task, encoded, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_ordinary_families_keep_their_loss_to_the_bit(family: str) -> None:
    model = tiny_model(family, dtype=torch.float32).eval()
    batch = collate(encode(TOKENIZER, context(model).examples, 64), 0)
    output = model(**batch, use_cache=False)
    assert torch.equal(answer_loss(output.logits, batch["labels"]), output.loss)
    assert not own_loss_differs(model)


@pytest.mark.parametrize("family", [*MIXTURES, "gpt_oss"])
def test_a_router_trains_on_the_familys_own_loss_where_that_is_asked_for(family: str) -> None:
    model = tiny_model(family, dtype=torch.float32).eval()
    model.config.output_router_logits = True
    assert not own_loss_differs(model)
    task = context(model)
    batch = collate(task.encoded[:4], 0)
    output = model(**batch, use_cache=False)
    assert output.loss > answer_loss(output.logits, batch["labels"])
    output.loss.backward()
    assert_step_follows_gradients(task, task.encoded[:4], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", ["bart", "llama"])
def test_a_trainer_that_teaches_to_copy_is_refused(family: str, tmp_path: Path) -> None:
    model = copying_model(family) if family in COPYING else tiny_model(family, dtype=torch.float32)
    encoded = encode(TOKENIZER, context(model).examples, 64)[:1]
    rows = [{name: row[0] for name, row in collate(encoded, 0).items()}]
    arguments = TrainingArguments(
        str(tmp_path), max_steps=1, report_to="none", save_strategy="no", use_cpu=True
    )
    trainer = Trainer(
        model,
        arguments,
        train_dataset=rows,
        processing_class=TOKENIZER,
        callbacks=[FGGMCallback(keep=0.3)],
    )
    if family not in COPYING:
        trainer.train()
        return
    with pytest.raises(SettingError, match="give the Trainer a compute_loss_func"):
        trainer.train()
    trainer.compute_loss_func = lambda output, labels, **_: answer_loss(output.logits, labels)
    trainer.train()
