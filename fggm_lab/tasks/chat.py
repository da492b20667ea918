"""Conversations: a prompt made of messages, which a tokenizer's chat template turns into text."""

from collections.abc import Mapping, Sequence
from typing import Any

from fggm_lab.errors import DataError

_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "system": "system",
}
"""ShareGPT's names of who speaks, and the roles of a chat template."""


class ChatPrompt(str):
    """A prompt that is a conversation; `encode` writes it with the tokenizer's chat template.

    As a text it is the user's only message, or shows one message after another, for people to read
    and for metrics that compare an answer with its prompt: no model reads that text.

    Attributes:
        messages: pairs of role and content, the first message first.
    """

    messages: tuple[tuple[str, str], ...]

    def __new__(cls, messages: Sequence[tuple[str, str]]) -> "ChatPrompt":
        """Make a prompt of messages.

        Args:
            messages: pairs of role (`system`, `user`, `assistant`) and content.

        Returns:
            The prompt.
        """
        text = "\n\n".join(f"{role}: {content}" for role, content in messages)
        if len(messages) == 1 and messages[0][0] == "user":
            text = messages[0][1]
        prompt = super().__new__(cls, text)
        prompt.messages = tuple(messages)
        return prompt

    def __getnewargs__(self) -> tuple[Any, ...]:
        """What a copy, also in another process, is made of."""
        return (self.messages,)


def split_conversation(where: str, column: str, messages: Any) -> tuple[ChatPrompt, str]:
    """Divide a conversation at its last assistant turn.

    Args:
        where: of which example, for an error.
        column: the column that holds the conversation, for an error.
        messages: a list of OpenAI's `{"role", "content"}` or ShareGPT's `{"from", "value"}`.

    Returns:
        What precedes the last turn of the assistant, and that turn's text. What follows it is left
        out.

    Raises:
        DataError: a message has another form, or there is no assistant turn, or none before it.
    """
    if not isinstance(messages, Sequence) or isinstance(messages, str | bytes):
        raise DataError(f"{where}: '{column}' is no list of messages; write it as one")
    turns = [_message(f"{where}: message {i}", message) for i, message in enumerate(messages)]
    last = max((i for i, (role, _) in enumerate(turns) if role == "assistant"), default=0)
    if last == 0:
        raise DataError(
            f"{where}: '{column}' has no assistant turn that answers something; the last one is "
            "what is learned, so add it or remove the example"
        )
    return ChatPrompt(turns[:last]), turns[last][1]


def _message(where: str, message: Any) -> tuple[str, str]:
    """A message's role and text."""
    if not isinstance(message, Mapping):
        raise DataError(f"{where} is no object; write it as {{'role': ..., 'content': ...}}")
    if "from" in message:
        role, content = _ROLES.get(str(message["from"])), message.get("value")
        if role is None:
            raise DataError(
                f"{where} is from '{message['from']}'; it must be one of {', '.join(_ROLES)}"
            )
    else:
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str):
            raise DataError(f"{where} has no 'role'; write it as {{'role': ..., 'content': ...}}")
    if isinstance(content, Sequence) and not isinstance(content, str):
        parts = [part.get("text") if isinstance(part, Mapping) else None for part in content]
        if all(isinstance(part, str) for part in parts):
            content = "".join(str(part) for part in parts)
    if not isinstance(content, str) or message.get("tool_calls"):
        raise DataError(f"{where} holds something other than text; leave the example out")
    return role, content
