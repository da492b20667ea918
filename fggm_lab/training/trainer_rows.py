"""What a Trainer's training set teaches: its rows as the collator makes them, token by token."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import default_data_collator

from fggm_lab.errors import DataError
from fggm_lab.models.encoding import IGNORED, Encoded

Collate = Callable[[list[Any]], Mapping[str, Any]]
"""Makes one batch of some rows of a data set, as a Trainer's `data_collator` does."""


class LabelledToken(NamedTuple):
    """A token of a text, and what the loss learns where the token before predicts it."""

    id: int
    label: int


def encoded_examples(dataset: Any, collate: Collate = default_data_collator) -> list[Encoded]:
    """A tokenised data set's rows as examples, labelled as the loss sees them.

    Labels may have any pattern, such as those of a dialogue of several turns. A row that packs
    several documents, of which none sees another (`position_ids` that begin anew, `seq_idx` or
    `cu_seq_lens_q`), is as many examples. What has no labelled token is left out, with a warning.

    Args:
        dataset: rows that the collator understands.
        collate: makes a batch of one row: `input_ids` and, optionally, `attention_mask` and
            `labels`; without labels every token counts but the first.

    Returns:
        One for each text, in order.

    Raises:
        DataError: it has no length or no rows of this kind, no row has a labelled token, or packed
            documents see one another.
    """
    if not hasattr(dataset, "__len__"):
        raise DataError("the training set is a stream; pass FGGMCallback(examples=[...]) to score")
    examples, unlabelled, across = [], 0, 0
    for number in range(len(dataset)):
        remedy = "pass FGGMCallback(examples=[...])"
        for document, text in enumerate(row_texts(collate([dataset[number]]), number, remedy)):
            across += document > 0 and text[0].label != IGNORED
            example = _encoded(text)
            if example is None:
                unlabelled += 1
            else:
                examples.append(example)
    if not examples:
        raise DataError("no row of the training set has a labelled token; label what is learned")
    if unlabelled:
        warnings.warn(
            f"{unlabelled} of {unlabelled + len(examples)} texts of the training set have no "
            "labelled token; they teach nothing and are not scored",
            stacklevel=2,
        )
    if across:
        warnings.warn(
            f"the first tokens of {across} packed documents are labelled: the loss predicts them "
            "from the document before, which the scores leave out; set these labels to -100",
            stacklevel=2,
        )
    return examples


def labelled_batch(dataset: Any, collate: Collate) -> Mapping[str, Any]:
    """A batch of the first row that has a labelled token.

    Args:
        dataset: rows that the collator understands, of which one at least is labelled.
        collate: makes the batch.

    Returns:
        As the collator makes it.
    """
    batches = (collate([dataset[number]]) for number in range(len(dataset)))
    return next(
        batch for batch in batches if any(_encoded(text) for text in row_texts(batch, number=0))
    )


def row_texts(
    batch: Mapping[str, Any], number: int, remedy: str = "leave it out"
) -> list[list[LabelledToken]]:
    """The texts of a batch of one row, without padding.

    Args:
        batch: as a collator makes it.
        number: of the row, for an error.
        remedy: what helps where rows have no token ids.

    Returns:
        For each text its tokens; without labels a token's id is its label. A row is one text, a
        packed row one for each of its documents.

    Raises:
        DataError: the row has no `input_ids`, or packs documents that see one another.
    """
    if "input_ids" not in batch:
        raise DataError(f"row {number} of the training set has no input_ids; {remedy}")
    columns = {name: _rows(batch[name]) for name in _COLUMNS if batch.get(name) is not None}
    ids = columns["input_ids"]
    attention = columns.get("attention_mask", torch.ones_like(ids))
    if attention.shape != ids.shape:
        raise DataError(
            f"the attention_mask of row {number} of the training set is not one number a token; "
            "pack documents by position_ids, without an attention_mask"
        )
    labels = columns.get("labels", ids)
    documents: list[list[LabelledToken]] = []
    for index in range(len(ids)):
        real = attention[index].bool()
        row = {name: column[index][real] for name, column in columns.items() if name in _NUMBERS}
        tokens = [
            LabelledToken(*pair)
            for pair in zip(ids[index][real].tolist(), labels[index][real].tolist(), strict=True)
        ]
        starts = _document_starts(row, batch.get("cu_seq_lens_q"), len(tokens))
        if len(starts) > 1 and "attention_mask" in columns:
            raise DataError(
                f"row {number} of the training set packs {len(starts)} documents and has an "
                "attention_mask, with which each sees those before it; leave the mask out, as "
                "DataCollatorWithFlattening does"
            )
        documents += [tokens[a:b] for a, b in _spans(starts, len(tokens))]
    return documents


_NUMBERS = ("position_ids", "seq_idx")
"""The columns that tell packed documents apart."""

_COLUMNS = ("input_ids", "labels", "attention_mask", *_NUMBERS)


def _rows(values: Any) -> Tensor:
    """(B, T) of what a collator made for one row: a tensor or lists, with or without a batch."""
    tensor = torch.as_tensor(values)
    return tensor if tensor.ndim > 1 else tensor[None]


def _document_starts(numbers: Mapping[str, Tensor], lengths: Any, count: int) -> list[int]:
    """Where a row's documents begin, as transformers' attention and state-space layers see it."""
    begins = torch.zeros(count, dtype=torch.bool)
    begins[:1] = True
    if "position_ids" in numbers:
        begins[1:] |= numbers["position_ids"].diff() != 1
    if "seq_idx" in numbers:
        begins[1:] |= numbers["seq_idx"].diff() != 0
    if lengths is not None:
        begins[torch.as_tensor(lengths).flatten()[:-1].long()] = True
    return begins.nonzero().flatten().tolist()


def _spans(starts: Sequence[int], end: int) -> Iterator[tuple[int, int]]:
    return zip(starts, [*starts[1:], end], strict=True)


def _encoded(text: Sequence[LabelledToken]) -> Encoded | None:
    """A text from its first token to its last labelled one; None without any."""
    learned = [i for i, token in enumerate(text) if token.label != IGNORED and i > 0]
    if not learned:
        return None
    start, stop = learned[0], learned[-1] + 1
    answer = tuple(token.id for token in text[start:stop])
    labels = tuple(token.label for token in text[start:stop])
    prompt = tuple(token.id for token in text[:start])
    return Encoded(prompt, answer, False, None if labels == answer else labels)


def prompt_length(tokens: Sequence[LabelledToken]) -> int:
    """How many tokens stand before the first that is learned, which the first of all never is.

    Args:
        tokens: of one text.

    Returns:
        Their number, all of them where none is learned.
    """
    learned = (i for i, token in enumerate(tokens) if token.label != IGNORED and i > 0)
    return next(learned, len(tokens))
