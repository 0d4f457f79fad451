"""Tables between stages: Parquet with a declared schema and the provenance inside the file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

TYPES = {"str": "object", "int": "int64", "float": "float64", "float32": "float32", "int32": "int32", "bool": "bool"}


@dataclass(frozen=True)
class Schema:
    """Columns of a table, in order: name -> (type, meaning with unit).

    Types are ``str``, ``int``, ``int32``, ``float``, ``float32``, ``bool``; strings may be missing only where the
    type is written ``str?``. Missing numbers are NaN in a float column with the reason in a neighbouring column.
    With ``extra=True`` further columns (covariates) are kept behind the declared ones.
    """

    name: str
    columns: Mapping[str, tuple[str, str]]
    extra: bool = False

    def check(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return `table` with the schema's column order and types.

        Raises
        ------
        ValueError
            If a column is missing, undeclared, of another type or has missing strings: a fault in the calling code.
        """
        missing = [c for c in self.columns if c not in table.columns]
        undeclared = [c for c in table.columns if c not in self.columns]
        if missing or (undeclared and not self.extra):
            raise ValueError(f"table {self.name}: missing columns {missing}, undeclared columns {undeclared}")
        out = {}
        for column, (kind, _) in self.columns.items():
            values = table[column]
            if kind.rstrip("?") == "str":
                if kind == "str" and values.isna().any():
                    raise ValueError(f"table {self.name}: column {column} has missing strings")
                out[column] = values if isinstance(values.dtype, pd.CategoricalDtype) else values.astype(object)
            else:
                try:
                    out[column] = values.astype(TYPES[kind])
                except (TypeError, ValueError) as e:
                    raise ValueError(f"table {self.name}: column {column} is not {kind}: {e}") from e
        result = pd.DataFrame(out, index=table.index)
        if self.extra:
            result = result.join(table[undeclared])
        return result.reset_index(drop=True)

    def empty(self) -> pd.DataFrame:
        """A table with no rows and the right types."""
        return self.check(pd.DataFrame({c: [] for c in self.columns}))


def write_table(
    table: pd.DataFrame, path: str | Path, schema: Schema, *, provenance: Mapping[str, Any] | None = None
) -> None:
    """Check `table` against `schema` and write it as Parquet (zstd), provenance in the file's metadata."""
    arrow = _arrow(table, schema, provenance)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(arrow, path, compression="zstd")


def write_appended(
    earlier: str | Path, more: pd.DataFrame, path: str | Path, *, schema: Schema, provenance: Mapping[str, Any]
) -> None:
    """Write the rows of the table `earlier` as they are and `more` behind them.

    As :func:`write_table` of both, which for many rows takes most of its time to make Python's strings of the earlier
    ones. Optional strings (``str?``) must not be missing in all of `more`.
    """
    new = _arrow(more[list(schema.columns)], schema, provenance)
    old = pq.read_table(earlier, columns=list(schema.columns)).cast(new.schema)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.concat_tables([old, new]).combine_chunks(), path, compression="zstd")


def write_pieces(
    pieces: Iterable[pd.DataFrame], path: str | Path, schema: Schema, *, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write a table that comes piece by piece, one row group each, so that memory holds one piece.

    The file differs from that of :func:`write_table` in its row groups only. Optional strings (``str?``) must not be
    missing in a whole piece. No pieces give an empty table.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    writer = None
    try:
        for piece in pieces:
            arrow = _arrow(piece, schema, provenance)
            if writer is None:
                writer = pq.ParquetWriter(path, arrow.schema, compression="zstd")
            writer.write_table(arrow)
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        write_table(schema.empty(), path, schema, provenance=provenance)


def _arrow(table: pd.DataFrame, schema: Schema, provenance: Mapping[str, Any] | None) -> pa.Table:
    arrow = pa.Table.from_pandas(schema.check(table), preserve_index=False)
    meta = dict(arrow.schema.metadata or {})
    meta[b"cimlnk.schema"] = schema.name.encode()
    meta[b"cimlnk.provenance"] = json.dumps(provenance or {}, sort_keys=True).encode()
    return arrow.replace_schema_metadata(meta)


def read_pieces(path: str | Path, columns: list[str]) -> Iterator[pd.DataFrame]:
    """The row groups of a table one after the other, so that memory holds one (at most 1,048,576 rows by default)."""
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number, columns=columns).to_pandas()


def read_table(
    path: str | Path,
    schema: Schema | None = None,
    *,
    columns: Sequence[str] | None = None,
    categories: Sequence[str] = (),
) -> pd.DataFrame:
    """Read a table written by :func:`write_table`, or some of its `columns`; with `schema`, check it again.

    Columns of strings in `categories` come as categories: a name that many rows have is made once.
    """
    wanted = None if columns is None else list(columns)
    table = pq.read_table(path, columns=wanted, read_dictionary=list(categories) or None).to_pandas()
    return schema.check(table) if schema is not None else table


def read_provenance(path: str | Path) -> dict[str, Any]:
    """The provenance stored in a table's metadata."""
    meta = pq.read_schema(path).metadata or {}
    return json.loads(meta.get(b"cimlnk.provenance", b"{}"))
