"""The audit counts planted faults, each where it was planted, and stays silent on clean tasks."""

import json
from pathlib import Path

from fggm_lab.tasks import Example, Task, TaskSequence, audit, load_tasks


def examples(*pairs: tuple[str, str]) -> tuple[Example, ...]:
    return tuple(Example(prompt, answer) for prompt, answer in pairs)


CLEAN = Task(
    "Clean",
    train=examples(("a", "1"), ("b", "1")),
    eval=examples(("c", "1")),
    test=examples(("d", "2")),
)
FAULTY = Task(
    "Faulty",
    # p thrice with two answers, one empty answer, one blank prompt
    train=examples(("p", "1"), ("p", "1"), ("p", "2"), ("q", ""), (" ", "x"), ("r", "1")),
    # r leaks from train with another answer, e twice
    eval=examples(("r", "9"), ("e", "1"), ("e", "1")),
    # p and q leak from train, e from eval; nothing repeats
    test=examples(("p", "1"), ("q", "\n"), ("e", "1")),
)


def test_planted_faults_are_counted_by_hand() -> None:
    findings = audit([FAULTY]).tasks["Faulty"]
    assert findings.examples == {"train": 6, "eval": 3, "test": 3}
    assert findings.duplicate_prompts == {"train": 2, "eval": 1, "test": 0}
    assert findings.empty_prompts == {"train": 1, "eval": 0, "test": 0}
    assert findings.empty_answers == {"train": 1, "eval": 0, "test": 1}
    # p in train; over the whole task also r (1 and 9) and q ("" and "\n")
    assert findings.conflicting_answers == {"train": 1, "eval": 0, "test": 0, "all": 3}
    assert findings.shared_prompts == {"train/eval": 1, "train/test": 2, "eval/test": 1}
    assert not findings.eval_is_test


def test_every_finding_is_a_sentence_with_its_count() -> None:
    lines = audit(TaskSequence([CLEAN, FAULTY], "here")).warnings()
    assert all(line.startswith("Faulty: ") and "\n" not in line for line in lines)
    text = "\n".join(lines)
    assert "2 of 6 train examples repeat an earlier prompt" in text
    assert "1 of 3 eval examples repeat" in text
    assert "1 of 6 train examples have an empty prompt" in text
    assert "1 of 3 test examples have an empty answer" in text
    assert "2 prompts are in both train and test" in text
    assert "3 prompts are given different answers" in text
    assert len(lines) == 9


def test_a_clean_sequence_is_clean() -> None:
    findings = audit(TaskSequence([CLEAN], "here"))
    assert findings.clean
    assert findings.warnings() == []
    assert not audit([FAULTY]).clean


def test_eval_identical_to_test_is_seen_in_any_order_and_named_once() -> None:
    both = examples(("x", "1"), ("y", "2"))
    task = Task("T", train=examples(("a", "1")), eval=both, test=both[::-1])
    findings = audit([task])
    assert findings.tasks["T"].eval_is_test
    assert findings.tasks["T"].shared_prompts["eval/test"] == 2
    assert len(findings.warnings()) == 1
    assert "eval and test hold the same 2 examples" in findings.warnings()[0]
    assert not audit([Task("T", both, both[:1], both)]).tasks["T"].eval_is_test
    assert not audit([Task("T", both, (), both)]).tasks["T"].eval_is_test


def test_the_audit_is_json() -> None:
    findings = audit(TaskSequence([CLEAN, FAULTY], "here"))
    record = json.loads(json.dumps(findings.to_json()))
    assert record["source"] == "here"
    assert record["clean"] is False
    assert record["warnings"] == findings.warnings()
    assert record["tasks"]["Faulty"]["shared_prompts"]["train/test"] == 2


class CountedText(str):
    """A text that counts how often any of its kind is compared."""

    comparisons = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        CountedText.comparisons += 1
        return str.__eq__(self, other)


def test_comparisons_grow_linearly_with_the_examples() -> None:
    def comparisons(count: int) -> int:
        CountedText.comparisons = 0
        large = examples(*((CountedText(f"prompt {i // 2}"), str(i)) for i in range(count)))
        audit([Task("T", large, large[:100], large[100:200])])
        return CountedText.comparisons

    assert comparisons(1000) > 0 and comparisons(4000) < 5 * comparisons(1000)


def test_the_real_tasks_are_clean(shared: Path) -> None:
    assert audit(load_tasks(shared / "trace")).warnings() == []
