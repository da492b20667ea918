"""What looks at a model leaves every part of it in the mode that it was in."""

from collections.abc import Callable

import pytest
from transformers import PreTrainedModel

import fggm_lab as lab
from fggm_lab.evaluation import sample_completions
from fggm_lab.models.attention import attention_patterns
from fggm_lab.models.sampling import continued_samples
from fggm_lab.tasks import CodeProblem
from tests.support.families import character_tokenizer, some_examples
from tests.support.small import small_general, small_model, small_tasks

TOKENIZER = character_tokenizer()
PROBLEM = CodeProblem("one", "def f():\n", "    return 1\n", "assert f() == 1")

LOOKS: dict[str, Callable[[PreTrainedModel], object]] = {
    "evaluate": lambda model: lab.evaluate(model, TOKENIZER, small_tasks(1), small_general()),
    "fisher": lambda model: lab.fisher_scores(model, TOKENIZER, some_examples(2)),
    "samples": lambda model: continued_samples(model, TOKENIZER, [[1]], length=4),
    "attention": lambda model: attention_patterns(model, TOKENIZER, "the dog"),
    "completions": lambda model: sample_completions(
        model, TOKENIZER, [PROBLEM], 1, allow=True, max_new_tokens=2
    ),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_part_in_evaluation_mode_stays_in_it(look: Callable[[PreTrainedModel], object]) -> None:
    model = small_model().train()
    frozen = next(iter(model.base_model.children()))
    frozen.eval()
    before = {name: module.training for name, module in model.named_modules()}
    look(model)
    assert {name: module.training for name, module in model.named_modules()} == before
    assert model.training and not frozen.training
