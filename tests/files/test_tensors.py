"""Tensors come back bit for bit, and no changed file is read as if it were right."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from fggm_lab.errors import RunError
from fggm_lab.files import read_tensors, tensor_bytes, tensors_digest, write_tensors

TENSORS = {
    "weights": torch.randn(3, 5, generator=torch.Generator().manual_seed(0)),
    "bits": torch.tensor([True, False]),
    "half": torch.tensor([0.1, -2.0], dtype=torch.bfloat16),
    "byte": torch.tensor([0.5], dtype=torch.float8_e5m2),
    "scalar": torch.tensor(7),
    "empty": torch.zeros(0, 4),
}


def test_tensors_and_the_header_come_back(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, TENSORS, {"made": "ß"})
    tensors, header = read_tensors(path, RunError)
    assert header == {"made": "ß"} and tensors.keys() == TENSORS.keys()
    for name, values in TENSORS.items():
        assert tensors[name].dtype == values.dtype and tensors[name].shape == values.shape
        assert torch.equal(tensors[name].float(), values.float())
    assert load_file(path).keys() == TENSORS.keys()  # for others it is a plain file
    assert path.read_bytes() == tensor_bytes(TENSORS, {"made": "ß"})


def test_tensors_of_the_same_memory_are_written_each_by_itself(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    views: dict[str, Tensor] = {"first": shared, "again": shared, "part": shared[2:4]}
    views["turned"] = torch.arange(6.0).view(2, 3).T
    write_tensors(tmp_path / "a.safetensors", views)
    tensors, _ = read_tensors(tmp_path / "a.safetensors", RunError)
    assert all(torch.equal(tensors[name], values) for name, values in views.items())


@pytest.mark.parametrize(
    "change",
    [
        {"scalar": torch.tensor(8)},
        {"empty": torch.zeros(4, 0)},
        {"scalar": torch.tensor(7, dtype=torch.int32)},
        {"more": torch.zeros(1)},
    ],
)
def test_the_digest_is_one_of_names_types_shapes_and_values(change: dict[str, Tensor]) -> None:
    digest = tensors_digest(TENSORS)
    assert tensors_digest(dict(reversed(TENSORS.items()))) == digest
    assert tensors_digest(TENSORS | change) != digest
    assert tensors_digest(TENSORS, {"made": "a"}) != digest


@pytest.mark.parametrize("old", [b"bits", b"made", b"digest", b"BF16"])
def test_a_changed_header_is_refused(tmp_path: Path, old: bytes) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, TENSORS, {"made": "x"})
    content = path.read_bytes()
    changed = bytes([*old[:1], old[1] ^ 1, *old[2:]])
    path.write_bytes(content.replace(old, changed, 1))
    if old == b"digest":  # the content is right, and its reader refuses a field it does not know
        assert read_tensors(path, RunError)[1].keys() == {"made", "dhgest"}
        return
    with pytest.raises(RunError):
        read_tensors(path, RunError)


def test_a_file_without_a_digest_is_one_of_an_older_version(tmp_path: Path) -> None:
    former = {"record": '{"made": "x"}'}
    save_file({"a": torch.ones(2)}, tmp_path / "a.safetensors", metadata=former)
    tensors, header = read_tensors(tmp_path / "a.safetensors", RunError, former_entry="record")
    assert tensors["a"].tolist() == [1, 1] and header == {"made": "x"}


@pytest.mark.parametrize("content", [None, b"", b"text", b"\xff" * 64, b"\x08" + b"\0" * 7 + b"{}"])
def test_what_is_no_such_file_is_refused_with_a_reason(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "a.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError, match=r"\w"):
        read_tensors(path, RunError)
