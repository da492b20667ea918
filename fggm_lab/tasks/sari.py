"""SARI, the score of a text simplification: what was kept, deleted and added against references."""

import re
from collections import Counter
from collections.abc import Sequence

_NGrams = Counter[tuple[str, ...]]


def sentence_sari(source: str, prediction: str, references: Sequence[str]) -> float:
    """SARI (Xu et al. 2016, TACL 4) of one text, as Hugging Face's `evaluate` computes it.

    The mean over n = 1..4 of three scores over n-grams, then the mean of the three: F1 of what was
    kept, precision of what was deleted, F1 of what was added. Texts are lower-cased and split by
    sacreBLEU's 13a rules; 0/0 counts as 1; kept n-grams' recall is taken over all occurrences.

    Args:
        source: the text before simplification.
        prediction: the simplification to judge.
        references: one or more good simplifications.

    Returns:
        A fraction from 0 to 1 (published values are 100 times this).
    """
    before, after = words_13a(source), words_13a(prediction)
    targets = [words_13a(reference) for reference in references]
    total = 0.0
    for n in range(1, 5):
        reference = _NGrams()
        for words in targets:
            reference.update(_ngrams(words, n))
        # Every n-gram of source and prediction counts once per reference, to weigh as much as they.
        total += sum(
            _sari_parts(
                _times(_ngrams(before, n), len(targets)),
                _times(_ngrams(after, n), len(targets)),
                reference,
            )
        )
    return total / 12


def _sari_parts(source: _NGrams, after: _NGrams, reference: _NGrams) -> tuple[float, float, float]:
    """F1 of keeping, precision of deleting, F1 of adding, for n-grams of one length."""
    retained, keepable = source & after, source & reference
    well_kept = retained & reference
    keep = _f1(
        _ratio(sum(well_kept[g] / retained[g] for g in well_kept), len(retained)),
        _ratio(well_kept.total(), keepable.total()),
    )
    deleted = source - after
    well_deleted = deleted - reference
    delete = _ratio(sum(well_deleted[g] / deleted[g] for g in well_deleted), len(deleted))
    added, addable = after.keys() - source.keys(), reference.keys() - source.keys()
    well_added = len(added & addable)
    add = _f1(_ratio(well_added, len(added)), _ratio(well_added, len(addable)))
    return keep, delete, add


def _ratio(part: float, total: int) -> float:
    """part / whole, with 0/0 = 1: asked to do nothing and did nothing is right."""
    return part / total if total else 1.0


def _f1(precision: float, recall: float) -> float:
    both = precision + recall
    return 2 * precision * recall / both if both else 0.0


def _ngrams(words: list[str], n: int) -> _NGrams:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def _times(ngrams: _NGrams, factor: int) -> _NGrams:
    return Counter({gram: count * factor for gram, count in ngrams.items()})


def words_13a(text: str) -> list[str]:
    """Lower-cased words by the rules of NIST's mteval-v13a, sacreBLEU's default tokenizer.

    Symbols stand alone; so do full stops and commas, except between digits, and a hyphen after a
    digit. An empty text is one empty word, as in Hugging Face's SARI.

    Args:
        text: any text.

    Returns:
        The words in order, at least one.
    """
    text = text.lower().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, character in (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")):
        text = text.replace(entity, character)
    text = re.sub(r"([{-~\[-` -&(-+:-@/])", r" \1 ", f" {text} ")
    text = re.sub(r"([^0-9])([.,])", r"\1 \2 ", text)
    text = re.sub(r"([.,])([^0-9])", r" \1 \2", text)
    text = re.sub(r"([0-9])(-)", r"\1 \2 ", text)
    return text.split() or [""]
