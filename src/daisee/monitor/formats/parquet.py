"""Reads a Parquet file as if it were a CSV with the same columns, where pyarrow is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from daisee.errors import DataFileError, UsageError

AT_ONCE = 10_000
"""Rows that are held at once."""


def table(path: Path, progress: Callable[[float], None]) -> tuple[Sequence[str], Iterator[tuple[int, Sequence[str]]]]:
    """Answer the names of the columns, and the cells of each row with its number, from 1 on. UsageError without pyarrow."""
    if find_spec("pyarrow") is None:
        raise UsageError('Parquet needs pyarrow: `pip install "daisee[parquet]"`; or export a CSV')
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
    except pa.ArrowException as error:
        raise DataFileError(path, None, f"this Parquet file is damaged ({error})") from error

    def rows() -> Iterator[tuple[int, Sequence[str]]]:
        number, whole = 0, max(1, file.metadata.num_rows)
        try:
            for batch in file.iter_batches(AT_ONCE):
                columns = [column.to_pylist() for column in batch.columns]
                for cells in zip(*columns, strict=True):
                    number += 1
                    yield number, [_text(cell) for cell in cells]
                progress(number / whole)
        except (pa.ArrowException, OSError) as error:
            raise DataFileError(path, number, f"this Parquet file is damaged ({error})") from error

    return file.schema_arrow.names, rows()


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    return cell.isoformat() if isinstance(cell, datetime) else str(cell)
