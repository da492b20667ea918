"""The texts that `SelfKLCallback` rehearses, from training to training and in a file."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from fggm_lab.errors import DataError
from fggm_lab.files import checked, read_tensors, tensor_bytes, write_whole
from fggm_lab.methods.base import Memory

TEXTS_FILE = "_self_kl.safetensors"
"""In the Trainer's output folder and checkpoints; it pushes no file with a leading underscore."""

_RECORD = "fggm_lab_self_kl"


@dataclass
class TextMemory:
    """What the method self-kl remembers between the trainings of a sequence.

    Attributes:
        memory: the method's own.
        trainings: how many were finished.
        vocabulary: how many tokens the model has that drew the texts; None before it drew any.
    """

    memory: Memory = field(default_factory=dict)
    trainings: int = 0
    vocabulary: int | None = None

    def copy(self) -> "TextMemory":
        """A memory that can be changed without changing this one."""
        return replace(self, memory=dict(self.memory))

    def to_bytes(self) -> bytes:
        """The file's content; the same memory gives the same bytes."""
        record = {"trainings": self.trainings, "vocabulary": self.vocabulary}
        return tensor_bytes(self.memory, {_RECORD: record})

    def save(self, folder: Path) -> None:
        """Write the file into a folder, whole or not at all."""
        data = self.to_bytes()
        write_whole(folder / TEXTS_FILE, lambda temporary: temporary.write_bytes(data))

    @classmethod
    def load(cls, path: Path | str) -> "TextMemory":
        """Read a file.

        Args:
            path: the file, or the folder that it lies in.

        Returns:
            The memory.

        Raises:
            DataError: there is none, or it is damaged.
        """
        path = Path(path)
        file = path / TEXTS_FILE if path.is_dir() else path
        if not file.exists():
            raise DataError(
                f"{file} does not exist; give the output folder of a training with SelfKLCallback"
            )

        def damaged(reason: str) -> DataError:
            return DataError(
                f"{file} is damaged, or holds no texts of SelfKLCallback ({reason}); take that of "
                "another checkpoint, or train without it"
            )

        memory, record = read_tensors(file, damaged, fields=(_RECORD,), former_entry=_RECORD)
        counts = checked(_Counts, record.get(_RECORD, record), damaged)
        return cls(memory, counts.trainings, counts.vocabulary)


@dataclass
class _Counts:
    """What the file's header says beside the texts."""

    trainings: int
    vocabulary: int | None


def sha256(data: bytes) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
