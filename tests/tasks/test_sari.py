"""SARI gives published values, values worked out by hand, and splits words as sacreBLEU does."""

import random
from fractions import Fraction
from pathlib import Path

import pytest

from fggm_lab.tasks import load_tasks
from fggm_lab.tasks.sari import sentence_sari, words_13a


def test_sari_gives_the_value_hugging_face_publishes() -> None:
    value = sentence_sari(
        "About 95 species are currently accepted .",
        "About 95 you now get in .",
        [
            "About 95 species are currently known .",
            "About 95 species are now accepted .",
            "95 species are now accepted .",
        ],
    )
    assert 100 * value == pytest.approx(26.953601953601954, abs=1e-9)


def test_sari_of_one_word_by_hand() -> None:
    # source "a", prediction "b", reference "b": 1-grams: nothing kept, nothing to keep (1);
    # "a" rightly deleted (1); "b" rightly added (1). Longer n-grams: nothing to do, nothing done.
    assert sentence_sari("a", "b", ["b"]) == 1
    # prediction "a", reference "b": "a" was kept wrongly (precision 0, nothing to keep: recall 1,
    # F1 0); nothing deleted (1); "b" not added (precision 0/0 = 1, recall 0, F1 0).
    assert sentence_sari("a", "a", ["b"]) == pytest.approx((0 + 1 + 0 + 3 * 3) / 12)


def test_sari_of_two_words_by_hand() -> None:
    # source "a b", prediction "a c", reference "a d".
    # 1-grams: keep a: P = R = 1; delete b: right, 1; add c: wrong, P = 0, R = 0, F1 0 -> 2
    # 2-grams: "a b" kept? no, nothing to keep: 1; deleted "a b": 1; added "a c": 0       -> 2
    # 3- and 4-grams: nothing to do: 3 each
    assert sentence_sari("a b", "a c", ["a d"]) == pytest.approx((2 + 2 + 3 + 3) / 12)


def test_sari_weighs_repeated_words() -> None:
    # source "a a b", prediction "a b", reference "a a". 1-grams: kept a:1 b:1; of these the
    # reference keeps a:1 -> P = (1/1 + 0)/2 = 1/2; keepable a:2 -> R = 1/2; F1 = 1/2.
    # deleted a:1; the reference has a:2 -> 0 right of 1 kind: 0. added none, addable none: 1.
    # 2-grams: source "a a","a b"; kept "a b", wrong: P = 0; keepable "a a": R = 0 -> 0.
    # deleted "a a": in the reference -> 0. added none, addable none: 1.
    # 3-grams: kept none (1), keepable none (1): 1; deleted "a a b" rightly: 1; add 1. 4-grams: 3.
    assert sentence_sari("a a b", "a b", ["a a"]) == pytest.approx((1.5 + 1 + 3 + 3) / 12)


def test_sari_ignores_case_and_separates_punctuation() -> None:
    assert sentence_sari("Das Haus, gross.", "das haus .", ["Das Haus."]) == 1
    assert sentence_sari("x", "y", ["Y"]) == 1


def slow_sari(source: str, prediction: str, reference: str) -> Fraction:
    """Equations 1 to 8 of Xu et al. 2016 for one reference, n-gram by n-gram, in fractions."""

    def share(part: Fraction | int, total: int) -> Fraction:
        return Fraction(part) / total if total else Fraction(1)

    def f1(precision: Fraction, recall: Fraction) -> Fraction:
        both = precision + recall
        return 2 * precision * recall / both if both else Fraction(0)

    total = Fraction(0)
    for n in range(1, 5):
        lists = []
        for text in (source, prediction, reference):
            words = text.split()
            lists.append([tuple(words[i : i + n]) for i in range(len(words) - n + 1)])
        before, after, target = lists
        grams = sorted({*before, *after, *target})
        counts = {g: (before.count(g), after.count(g), target.count(g)) for g in grams}
        retained = {g: min(i, o) for g, (i, o, _) in counts.items() if min(i, o)}
        right = {g: min(k, counts[g][2]) for g, k in retained.items()}
        keepable = sum(min(i, r) for i, _, r in counts.values())
        keep = f1(
            share(
                sum((Fraction(right[g], retained[g]) for g in retained), Fraction(0)), len(retained)
            ),
            share(sum(right.values()), keepable),
        )
        deleted = {g: i - o for g, (i, o, _) in counts.items() if i > o}
        well = sum((Fraction(max(d - counts[g][2], 0), d) for g, d in deleted.items()), Fraction(0))
        delete = share(well, len(deleted))
        added = [g for g, (i, o, _) in counts.items() if o and not i]
        addable = [g for g, (i, _, r) in counts.items() if r and not i]
        both = len(set(added) & set(addable))
        add = f1(share(both, len(added)), share(both, len(addable)))
        total += keep + delete + add
    return total / 12


def test_sari_equals_a_slow_one_in_fractions() -> None:
    draw = random.Random(5)
    values = set()
    for _ in range(300):
        texts = [" ".join(draw.choices("abcde", k=draw.randint(1, 9))) for _ in range(3)]
        value = sentence_sari(texts[0], texts[1], [texts[2]])
        assert value == pytest.approx(float(slow_sari(*texts)), abs=1e-12)
        values.add(round(value, 6))
    assert len(values) > 150


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Das Haus, gross.", "das haus , gross ."),
        ("3.5 1,000 2-3 a-b", "3.5 1,000 2 - 3 a-b"),
        ("U.S. (x/y) don't &amp;&quot;", "u . s . ( x / y ) don't & \""),
        ("Ärger: 5 % €", "ärger : 5 % €"),
        ("end-\nof line\nnext", "endof line next"),
    ],
)
def test_words_are_split_by_the_rules_of_13a(text: str, words: str) -> None:
    assert words_13a(text) == words.split()
    assert words_13a("") == [""]


def test_words_equal_sacrebleus_on_real_text(shared: Path) -> None:
    tokenizer = pytest.importorskip("sacrebleu.tokenizers.tokenizer_13a").Tokenizer13a()
    for task in load_tasks(shared / "trace"):
        for example in task.test[:100]:
            assert words_13a(example.prompt) == tokenizer(example.prompt.lower()).split(" ")
