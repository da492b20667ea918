"""Writing conversations with a tokenizer's chat template."""

from transformers import PreTrainedTokenizerBase

from fggm_lab.errors import DataError
from fggm_lab.tasks.chat import ChatPrompt

CONTENT = "CONTENT"
"""Stands for a turn's text where only what the template writes around it counts."""


def chat_prompt_text(tokenizer: PreTrainedTokenizerBase, prompt: ChatPrompt) -> str:
    """The conversation as the model reads it, up to where the assistant's answer begins.

    What the template writes into the turn before its content is read, too, not answered: Qwen3's
    has an empty block of thoughts there, so that the model answers without thinking.

    Args:
        tokenizer: must have a chat template.
        prompt: the messages.

    Returns:
        The text, with whatever special tokens the template writes.

    Raises:
        DataError: there is no chat template, or it refuses these messages.
    """
    before = _rendered(tokenizer, prompt.messages, generation_prompt=True)
    try:
        conversation = _rendered(tokenizer, (*prompt.messages, ("assistant", CONTENT)))
    except DataError:  # the template wants an answer to be otherwise; those that there are may be
        return before
    opening, content, _ = conversation.removeprefix(before).partition(CONTENT)
    if not (content and opening.strip() and conversation.startswith(before)):
        return before  # a space that begins an answer is one token with its first word
    # Without a mark of its turn the template prompts for nothing, and the model writes all of it.
    has_mark = before != _rendered(tokenizer, prompt.messages)
    return before + opening if has_mark else before


def chat_answer_text(tokenizer: PreTrainedTokenizerBase, prompt: ChatPrompt, answer: str) -> str:
    """What the template writes for the assistant's turn, the mark of its end included.

    Args:
        tokenizer: must have a chat template.
        prompt: the messages before the turn.
        answer: the turn's text.

    Returns:
        The text that follows `chat_prompt_text`, without white space after the mark of its end.

    Raises:
        DataError: there is no chat template, it refuses these messages, or it does not begin the
            turn as it prompts for it.
    """
    before = chat_prompt_text(tokenizer, prompt)
    conversation = _rendered(tokenizer, (*prompt.messages, ("assistant", answer)))
    if not conversation.startswith(before):
        raise DataError(
            "the tokenizer's chat template begins an answer in another way than it prompts for "
            "one, as where an answer brings thoughts of its own; write these examples as prompt "
            "and answer instead"
        )
    turn = conversation[len(before) :]
    if turn.startswith(answer):
        return answer + turn[len(answer) :].rstrip()
    return turn.rstrip()


def _rendered(
    tokenizer: PreTrainedTokenizerBase,
    messages: tuple[tuple[str, str], ...],
    generation_prompt: bool = False,
) -> str:
    if not getattr(tokenizer, "chat_template", None):
        raise DataError(
            "the examples are conversations, and the tokenizer has no chat template to write them "
            "with; set tokenizer.chat_template, or write them as prompt and answer"
        )
    from jinja2 import TemplateError

    try:
        text: str = tokenizer.apply_chat_template(
            [{"role": role, "content": content} for role, content in messages],
            tokenize=False,
            add_generation_prompt=generation_prompt,
        )
    except TemplateError as problem:
        roles = ", ".join(role for role, _ in messages)
        raise DataError(
            f"the tokenizer's chat template refuses messages of {roles} ({problem}); write these "
            "examples as prompt and answer instead"
        ) from None
    return text
