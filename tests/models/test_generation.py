"""Generation obeys the model's probabilities alone, not its folder's settings."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from fggm_lab.evaluation import evaluate, generate
from fggm_lab.models import load_model
from fggm_lab.models.generation import generate_tokens, handles_left_padding, own_settings_only
from fggm_lab.models.sampling import own_samples
from fggm_lab.tasks import Task, load_tasks
from tests.support.families import ALL_FAMILIES, VOCABULARY, character_tokenizer, some_examples
from tests.support.small import small_model

TOKENIZER = character_tokenizer()
PROMPTS: list[list[int]] = [TOKENIZER(e.prompt)["input_ids"] for e in some_examples(6, longest=20)]

SETTINGS: dict[str, Any] = {
    "repetition_penalty": 1.8,
    "encoder_repetition_penalty": 1.5,
    "no_repeat_ngram_size": 1,
    "encoder_no_repeat_ngram_size": 1,
    "bad_words_ids": [[token] for token in range(3, 30)],
    "suppress_tokens": list(range(5, 20)),
    "begin_suppress_tokens": [3, 4, 5],
    "forced_bos_token_id": 7,
    "forced_eos_token_id": 9,
    "min_length": 40,
    "min_new_tokens": 5,
    "max_length": 3,
    "max_time": 1e-9,
    "stop_strings": ["a", "b", "c", " "],
    "eos_token_id": list(range(2, 20)),
    "num_beams": 3,
    "num_return_sequences": 2,
    "length_penalty": 4.0,
    "early_stopping": True,
    "do_sample": True,
    "temperature": 0.1,
    "top_k": 1,
    "top_p": 0.1,
    "min_p": 0.5,
    "typical_p": 0.1,
    "epsilon_cutoff": 0.5,
    "eta_cutoff": 0.5,
    "guidance_scale": 5.0,
    "sequence_bias": {(11,): 50.0},
    "exponential_decay_length_penalty": (1, 2.0),
    "remove_invalid_values": True,
    "renormalize_logits": True,
    "prompt_lookup_num_tokens": 4,
    "cache_implementation": "static",
    "use_cache": False,
    "return_dict_in_generate": True,
    "output_scores": True,
}


def argmax_loop(model: PreTrainedModel, prompt: list[int], limit: int) -> list[int]:
    """The slow oracle: the whole text anew for every token."""
    ids = list(prompt)
    while len(ids) < len(prompt) + limit and ids[-1] != TOKENIZER.eos_token_id:
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def _with_settings(**settings: Any) -> PreTrainedModel:
    model = small_model(dtype=torch.float64)
    config = GenerationConfig()
    for name, setting in settings.items():  # as they are, contradictions included
        setattr(config, name, setting)
    model.generation_config = config
    return model


@pytest.mark.parametrize("name", [*SETTINGS, "all"])
def test_no_setting_of_the_model_changes_greedy_answers(name: str) -> None:
    model = _with_settings(**(SETTINGS if name == "all" else {name: SETTINGS[name]}))
    settings, before = model.generation_config, model.generation_config.to_dict()
    expected = [
        TOKENIZER.decode(argmax_loop(model, prompt, 6), skip_special_tokens=True)
        for prompt in PROMPTS
    ]
    assert generate(model, TOKENIZER, PROMPTS, [6] * len(PROMPTS)) == expected
    assert model.generation_config is settings and settings.to_dict() == before


def test_the_settings_would_change_them() -> None:
    model = _with_settings(repetition_penalty=1.8)
    ids = torch.tensor([PROMPTS[0]])
    obeyed = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=6)
    assert obeyed[0, ids.shape[1] :].tolist() != argmax_loop(model, PROMPTS[0], 6)


def test_own_samples_are_drawn_from_the_whole_distribution() -> None:
    plain = own_samples(small_model(dtype=torch.float64), TOKENIZER, 40, length=6, seed=1)
    assert own_samples(_with_settings(**SETTINGS), TOKENIZER, 40, length=6, seed=1) == plain
    assert len({sample.answer for sample in plain}) > 10


def test_the_settings_of_a_folder_and_under_an_adapter_have_no_say(tmp_path: Path) -> None:
    _with_settings(repetition_penalty=1.8, do_sample=True).save_pretrained(tmp_path)
    base = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float64).eval()
    settings = base.generation_config
    assert settings.repetition_penalty == 1.8
    adapted = get_peft_model(base, LoraConfig(init_lora_weights=False)).eval()
    ids = torch.tensor([PROMPTS[0]])
    new = generate_tokens(
        adapted, ids, torch.ones_like(ids), max_new_tokens=6, end=TOKENIZER.eos_token_id, pad=0
    )
    assert new[0].tolist() == argmax_loop(adapted, PROMPTS[0], 6)
    assert base.generation_config is settings and "generation_config" not in vars(adapted)


def test_the_settings_come_back_after_an_error() -> None:
    model = _with_settings(repetition_penalty=1.8)
    settings = model.generation_config
    with pytest.raises(KeyError), own_settings_only(model, end=1, pad=0):
        assert model.generation_config.repetition_penalty in (None, 1.0)
        raise KeyError
    assert model.generation_config is settings


def recurrent_model(family: str, **changes: Any) -> PreTrainedModel:
    """A random model of a family with a recurrent state, in evaluation mode."""
    sizes: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 3, "vocab_size": VOCABULARY}
    if family == "rwkv":
        sizes |= {"attention_hidden_size": 16, "context_length": 64}
    if family == "recurrent_gemma":
        sizes |= {"num_attention_heads": 2, "lru_width": 16, "attention_window_size": 32}
        sizes |= {"intermediate_size": 24, "num_key_value_heads": 1, "head_dim": 8}
    if family == "mamba2":
        sizes |= {"num_heads": 4, "head_dim": 8, "state_size": 8, "n_groups": 1}
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        family, pad_token_id=0, bos_token_id=None, eos_token_id=1, **sizes | changes
    )
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


@pytest.mark.parametrize("family", ["rwkv", "recurrent_gemma", "mamba", "mamba2"])
def test_batched_answers_of_recurrent_models_equal_single_ones(family: str) -> None:
    model = recurrent_model(family)
    limits = [6] * len(PROMPTS)
    alone = [generate(model, TOKENIZER, [prompt], [6])[0] for prompt in PROMPTS]
    assert generate(model, TOKENIZER, PROMPTS, limits) == alone
    assert alone == [
        TOKENIZER.decode(argmax_loop(model, prompt, 6), skip_special_tokens=True)
        for prompt in PROMPTS
    ]
    if family in ("rwkv", "recurrent_gemma"):
        assert not handles_left_padding(model, PROMPTS, 0)


def test_padded_rows_that_are_not_a_number_are_found_and_avoided() -> None:
    model = small_model("llama", dtype=torch.float64, attention="eager")
    assert not handles_left_padding(model, PROMPTS, 0)
    alone = [
        TOKENIZER.decode(argmax_loop(model, prompt, 6), skip_special_tokens=True)
        for prompt in PROMPTS
    ]
    assert generate(model, TOKENIZER, PROMPTS, [6] * len(PROMPTS), batch_size=4) == alone


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_ordinary_families_are_padded(family: str, dtype: torch.dtype) -> None:
    assert handles_left_padding(small_model(family, dtype=dtype), PROMPTS, 0)


def test_the_check_is_made_once_and_draws_nothing() -> None:
    model, calls = small_model(), []
    model.register_forward_hook(lambda *_: calls.append(1))
    state = torch.get_rng_state()
    assert handles_left_padding(model, PROMPTS, 0)
    passes = len(calls)
    assert passes == 6 and handles_left_padding(model, PROMPTS, 0) and len(calls) == passes
    assert torch.equal(torch.get_rng_state(), state)


def test_the_shipped_model_scores_the_same_with_a_penalty_in_its_folder() -> None:
    model, tokenizer = load_model()
    tasks = [
        Task(task.name, (), (), task.test[:12], task.metric)
        for task in load_tasks("trace-mini")
        if task.name in ("MeetingBank", "Py150")
    ]
    plain = evaluate(model, tokenizer, tasks)
    assert model.generation_config is not None
    model.generation_config.repetition_penalty = 1.1
    penalised = evaluate(model, tokenizer, tasks)
    assert len(plain) == 2 and penalised.predictions == plain.predictions
