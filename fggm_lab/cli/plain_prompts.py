"""A word on a model that was made for chats and is given plain prompts."""

import warnings
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imports torch, which would slow every command's start
    from transformers import PreTrainedTokenizerBase

    from fggm_lab.tasks import TaskSequence


def warn_of_plain_prompts(
    model: str, tokenizer: "PreTrainedTokenizerBase", tasks: "TaskSequence"
) -> None:
    """Warn, once in a process, where a chat template is there and prompts are written without it.

    Args:
        model: its name, for the message.
        tokenizer: the model's.
        tasks: as the model reads them.
    """
    from fggm_lab.tasks.chat import ChatPrompt

    prompts = (example.prompt for task in tasks for example in task.train)
    plain = any(not isinstance(prompt, ChatPrompt) for prompt in prompts)
    if plain and getattr(tokenizer, "chat_template", None):
        _warn(model)


@cache
def _warn(model: str) -> None:
    """Python's own filter would repeat it: it forgets whenever a library changes a filter."""
    warnings.warn(
        f"{model} has a chat template, and prompts are written without it; give --chat if the "
        "model was made for chats",
        stacklevel=3,
    )
