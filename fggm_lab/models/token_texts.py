"""Token ids as the texts that a person reads, each on its own."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

BLANKS = "▁Ġ"
"""The characters by which SentencePiece and byte-level BPE mark a blank before a word."""


def token_texts(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> tuple[str, ...]:
    """Each token as a text of its own, with the blank before a word, which decoders drop.

    Args:
        tokenizer: the ids' own.
        ids: token ids.

    Returns:
        As many texts.
    """
    texts = []
    for number, token in zip(ids, tokenizer.convert_ids_to_tokens(list(ids)), strict=True):
        text = tokenizer.decode([number]) or token
        marked = token[0] in BLANKS and not text.startswith(" ")
        texts.append(" " + text.lstrip(BLANKS) if marked else text)
    return tuple(texts)
