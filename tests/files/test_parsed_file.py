"""A file that others write is parsed once for each version of it."""

from pathlib import Path

from fggm_lab.files import ParsedFile, read_json, write_json


def test_a_file_is_parsed_once_for_each_of_its_versions(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    parsed: list[Path] = []

    def parse(path: Path) -> object:
        parsed.append(path)
        return read_json(path)

    file = ParsedFile(path, parse)
    assert file.read() is None and not parsed
    write_json(path, [1])
    assert file.read() == file.read() == [1] and len(parsed) == 1
    write_json(path, [2])
    assert file.read() == [2] and len(parsed) == 2
    file.forget()
    assert file.read() == [2] and len(parsed) == 3
    path.unlink()
    assert file.read() is None
