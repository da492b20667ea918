"""Files: written whole or not at all, and read back with a digest and a sentence.

What the files mean is said elsewhere; here are JSON, Parquet and safetensors.
"""

from fggm_lab.files.checked import checked, closed_record, file_record
from fggm_lab.files.digests import digest, digest_of, with_digest
from fggm_lab.files.folder_digests import folder_damage, write_folder_digests
from fggm_lab.files.json_files import (
    check_digest,
    parse_json,
    read_json,
    read_json_lines,
    read_record,
    write_json,
    write_record,
)
from fggm_lab.files.locks import locked
from fggm_lab.files.parquet import read_rows, write_rows
from fggm_lab.files.parsed_file import ParsedFile
from fggm_lab.files.tensors import (
    RECORD,
    read_recorded,
    read_tensors,
    tensor_bytes,
    tensors_digest,
    unreadable,
    write_tensors,
)
from fggm_lab.files.writing import (
    append_line,
    mend,
    whole_lines,
    write_folder,
    write_text,
    write_whole,
)

__all__ = [
    "RECORD",
    "ParsedFile",
    "append_line",
    "check_digest",
    "checked",
    "closed_record",
    "digest",
    "digest_of",
    "file_record",
    "folder_damage",
    "locked",
    "mend",
    "parse_json",
    "read_json",
    "read_json_lines",
    "read_record",
    "read_recorded",
    "read_rows",
    "read_tensors",
    "tensor_bytes",
    "tensors_digest",
    "unreadable",
    "whole_lines",
    "with_digest",
    "write_folder",
    "write_folder_digests",
    "write_json",
    "write_record",
    "write_rows",
    "write_tensors",
    "write_text",
    "write_whole",
]
