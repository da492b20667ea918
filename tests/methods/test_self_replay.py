"""Self-replay trains on what the model itself wrote before the task, and on no old data."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.methods import Replay, SelfReplay, TaskContext, make_method
from fggm_lab.models.encoding import Encoded, encode
from fggm_lab.models.sampling import own_samples
from fggm_lab.models.self_dialogue import own_dialogues
from fggm_lab.training.checkpoints import saved_model
from tests.models.test_chat import template
from tests.support.families import character_tokenizer
from tests.support.resuming import assert_resumes
from tests.support.small import context, small_model, small_run, small_tasks


@dataclass(frozen=True)
class Watched(SelfReplay):
    """Notes what joins each task's batches, and how many examples of the task there are in them."""

    joined: dict[int, list[Encoded]] = field(default_factory=dict, init=False, compare=False)
    learned: Counter[int] = field(default_factory=Counter, init=False, compare=False)

    def batch(self, context: TaskContext, batch: list[Encoded], step: int) -> list[Encoded]:
        changed = super().batch(context, batch, step)
        assert changed[: len(batch)] == batch
        self.learned[context.index] += len(batch)
        self.joined.setdefault(context.index, []).extend(changed[len(batch) :])
        return changed


def texts(items: Sequence[Encoded]) -> Counter[tuple[int, ...]]:
    return Counter(item.prompt + item.answer for item in items)


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_in_a_run_texts_of_the_model_before_each_task_join_at_the_ratio(
    tmp_path: Path, ratio: float
) -> None:
    method = Watched(samples=6, length=9, ratio=ratio)
    run = small_run(method, tmp_path / "run", tasks=small_tasks(2), general=None)
    models = [small_model(), saved_model(run.file("checkpoints", 0), small_model())]
    for index, before in enumerate(models):
        seed = context(before, index).seed_for("own samples")
        drawn = own_samples(before, character_tokenizer(), 6, length=9, seed=seed)
        assert texts(method.joined[index]).keys() <= texts(drawn).keys()
        assert len(method.joined[index]) == round(ratio * method.learned[index]) > 6
    assert [event["stored_bytes"] for event in run.events("task")] == [0, 0]


def test_a_chat_model_talks_to_itself() -> None:
    tokenizer = character_tokenizer(extra="<s>end/")
    tokenizer.chat_template = template("\n")
    model = small_model(vocabulary=len(tokenizer))
    task_context = replace(context(model), tokenizer=tokenizer)
    seed = task_context.seed_for("own samples")
    method = Watched(samples=4, length=5)

    def drawn(method: SelfReplay) -> Counter[tuple[int, ...]]:
        method.plan(task_context)
        method.start(task_context)
        joined = method.batch(task_context, task_context.encoded[:4], 0)[4:]
        method.finish()
        method.after_task(task_context)
        assert not task_context.memory
        return texts(joined)

    dialogues = own_dialogues(model, tokenizer, 4, length=5, max_length=64, seed=seed)
    assert drawn(method) == drawn(replace(method, form="dialogue")) == texts(dialogues)
    plain = own_samples(model, tokenizer, 4, length=5, seed=seed)
    assert drawn(replace(method, form="text")) == texts(plain)


def test_beside_replay_each_remembers_its_own() -> None:
    task_context = context(small_model(), index=0)
    both = make_method("replay+self-replay", **{"self-replay": {"samples": 2, "length": 4}})
    both.plan(task_context)
    both.after_task(task_context)
    later = replace(context(small_model(), index=1), memory=task_context.memory)
    replay, self_replay = Replay(), SelfReplay(samples=2, length=4)
    self_replay.plan(later)
    replay.start(later)
    self_replay.start(later)
    task = encode(character_tokenizer(), small_tasks()[0].train, 64)
    assert texts(replay.batch(later, later.encoded[:2], 0)[2:]).keys() <= texts(task).keys()
    joined = self_replay.batch(later, later.encoded[:2], 0)[2:]
    assert len(joined) == 2 and texts(joined).keys().isdisjoint(texts(task).keys())


def test_under_a_mask_it_resumes_as_if_uninterrupted(tmp_path: Path) -> None:
    settings = {"samples": 5, "length": 6, "ratio": 0.5}
    method = make_method("self-replay+fggm", **{"self-replay": settings})
    run = assert_resumes(method, tmp_path, family="gpt2")
    mask, drift = run.mask(1), run.drift(1)
    assert mask is not None and drift is not None
    assert not any(bool(drift[name][~bits].any()) for name, bits in mask.units.items())
    assert any(bool(bits.any()) for bits in drift.values())


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(SettingError, match="samples is 0; it must be 1 or more"):
        SelfReplay(samples=0)
    with pytest.raises(SettingError, match=r"ratio is -1; it must be 0 or more"):
        SelfReplay(ratio=-1)
    with pytest.raises(SettingError, match="form is 'chat'; choose one of: auto, text, dialogue"):
        SelfReplay(form="chat")  # type: ignore[arg-type]


def test_texts_that_say_nothing_are_told_of() -> None:
    model = small_model(tied=False)
    with torch.no_grad():  # after the token that begins, the same one, which is the end token
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.lm_head.weight.zero_()
        model.lm_head.weight[1] = 100 * model.model.embed_tokens.weight[1].sign()
    with pytest.warns(UserWarning, match=r"the 3 texts that the model drew are all empty, such as"):
        SelfReplay(samples=3, length=4).plan(context(model))
