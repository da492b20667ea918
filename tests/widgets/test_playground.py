"""The playground does what its controls say, through the library, and refuses in a sentence."""

from typing import Any

import pytest

import fggm_lab as lab
from benchmarks.families import tiny_family
from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.models import fingerprint
from fggm_lab.models.names import split_name
from fggm_lab.training.effects import choose_units, freezing, zeroing
from fggm_lab.widgets import playground as module
from fggm_lab.widgets.playground import FREEZE, HEADS, SHARE, MaskPlayground
from tests.support.families import character_tokenizer
from tests.support.small import small_general, small_model, small_tasks

EVALUATION: dict[str, Any] = {"general": small_general(), "examples": 4}


def playground(**controls: Any) -> MaskPlayground:
    """An open playground, its controls set."""
    widget: MaskPlayground = lab.MaskPlayground(
        small_model(), character_tokenizer(), small_tasks(), small_general(), examples=4
    )
    widget.fill()
    for name, value in controls.items():
        widget.controls.named[name].value = value
    return widget


def scores_of(widget: MaskPlayground, task: str) -> Any:
    examples = small_tasks()[task].train
    return fisher_scores(widget._model, character_tokenizer(), examples, max_examples=64)


def test_zeroing_is_the_librarys_and_the_figure_shows_it() -> None:
    widget = playground(rank="bottom", share=0.4, task="task-2", scope="global")
    before = fingerprint(widget._model)
    widget.button.click()
    chosen = choose_units(scores_of(widget, "task-2"), "bottom", 0.4, "global")
    expected = zeroing(widget._model, character_tokenizer(), small_tasks(), ~chosen, **EVALUATION)
    assert widget.effect == expected and fingerprint(widget._model) == before
    assert widget.panel.figure is not None
    bars = widget.panel.figure.data
    assert list(bars[2].y)[:3] == [score.score for score in expected.after.tasks.values()]
    assert "set to zero" in widget.panel.text
    assert (widget.button.description, widget.button.disabled) == ("Try", False)


def test_freezing_is_the_librarys() -> None:
    widget = playground(rank="random", share=0.5, action=FREEZE, train="task-1", steps=2)
    widget.button.click()
    chosen = choose_units(scores_of(widget, "task-0"), "random", 0.5)
    expected = freezing(
        widget._model,
        character_tokenizer(),
        small_tasks(),
        ~chosen,
        "task-1",
        steps=2,
        **EVALUATION,
    )
    assert widget.effect == expected


def test_only_the_layers_and_parameters_chosen_are_touched() -> None:
    widget = playground(layers=(1,), modules=("mlp.up_proj.weight", "norm.weight"), share=1)
    mask = widget._chosen()
    assert mask.names == ["model.layers.1.mlp.up_proj.weight"] and mask.share == 1
    outside = playground(layers=(None,), share=1)._chosen()
    assert {split_name(name).layer for name in outside.names} == {None}


def test_zeroing_heads_is_the_librarys() -> None:
    widget = playground(kind=HEADS, heads=((0, 1), (1, 0)))
    hidden = {name for name, c in widget.controls.named.items() if c.layout.display == "none"}
    assert hidden == set(widget.controls.named) - {"kind", "heads"}
    before = fingerprint(widget._model)
    widget.button.click()
    expected = lab.zeroing_heads(
        widget._model, character_tokenizer(), small_tasks(), [(0, 1), (1, 0)], **EVALUATION
    )
    assert widget.effect == expected and fingerprint(widget._model) == before
    assert "2 of 4 attention heads set to zero" in widget.panel.text


def test_a_model_whose_heads_are_not_known_says_so() -> None:
    widget = lab.MaskPlayground(
        tiny_family("mamba", character_tokenizer()), character_tokenizer(), small_tasks()
    )
    widget.fill()
    widget.controls.named["kind"].value = HEADS
    widget.button.click()
    assert "does not say how many attention heads" in widget.panel.text


def test_what_was_measured_is_not_measured_again_until_the_model_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    real = module.measured

    def counted(*args: Any, **settings: Any) -> Any:
        calls.append(1)
        return real(*args, **settings)

    monkeypatch.setattr(module, "measured", counted)
    widget = playground()
    widget.button.click()
    widget.controls.named["share"].value = 0.5
    widget.button.click()
    assert len(calls) == 1
    with lab.training.zeroed(widget._model, ~Mask.full(widget._model)):
        widget.button.click()
    assert len(calls) == 2


def test_the_controls_of_training_show_only_while_freezing() -> None:
    widget = playground()
    train = widget.controls.named["train"]
    assert train.layout.display == "none"
    widget.controls.named["action"].value = FREEZE
    assert train.layout.display is None


@pytest.mark.parametrize(("controls", "says"), [
    ({"layers": ()}, "No layer is chosen"),
    ({"kind": HEADS, "heads": ()}, "No attention head is chosen"),
    ({"modules": ()}, "No parameter is chosen"),
    ({"layers": (0,), "modules": ("norm.weight",)}, "None of the layers chosen has"),
    ({"layers": (0,), "modules": ("mlp.down_proj.weight",), "share": 0.01}, "leaves no unit"),
])  # fmt: skip
def test_bad_choices_are_a_sentence(controls: dict[str, Any], says: str) -> None:
    widget = playground()
    widget.button.click()
    for name, value in controls.items():
        widget.controls.named[name].value = value
    widget.button.click()
    assert says in widget.panel.text and widget.panel.figure is None and widget.effect is None
    assert not widget.button.disabled


def test_an_interrupt_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "zeroing", interrupted)
    widget = playground()
    widget.button.click()
    assert "Interrupted; the model is as it was" in widget.panel.text


def test_without_widgets_there_are_words() -> None:
    widget = playground()
    assert widget._repr_mimebundle_()["text/plain"].startswith("A playground for masks")
    widget.button.click()
    assert "set to zero. task-0: score" in widget._repr_mimebundle_()["text/plain"]


def test_the_share_it_opens_with_tells_units_apart() -> None:
    model, tokenizer = lab.load_model("tiny")
    tasks = lab.load_tasks("trace-mini", order=["FOMC"])
    scores = fisher_scores(model, tokenizer, tasks["FOMC"].train, max_examples=16)
    settings: dict[str, Any] = {"general": None, "examples": 16}
    effects = [
        zeroing(model, tokenizer, tasks, ~choose_units(scores, rank, SHARE), **settings)
        for rank in ("top", "random")
    ]
    top, chance = (effect.after.tasks["FOMC"].score for effect in effects)
    assert top < 0.1 < chance - 0.2
