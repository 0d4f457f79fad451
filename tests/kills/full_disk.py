"""./run python tests/kills/full_disk.py: every kind of file that a job writes, on a full disk (mounted, so by root).

Each has to end in one line and exit code 1, also where the library behind it would crash or say more as Python ends.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

SIZE = "200k"
WRITERS = {
    "parquet": """
        import numpy as np, pyarrow as pa, pyarrow.parquet as pq
        pq.write_table(pa.table({"a": np.random.rand(200_000)}), base / "a.parquet")""",
    "h5ad": """
        import anndata as ad, numpy as np
        ad.AnnData(np.random.rand(400, 400)).write_h5ad(base / "a.h5ad")""",
    "HDF5 in pieces": """
        import h5py, numpy as np
        with h5py.File(base / "a.h5ad", "w") as stream:
            data = stream.create_dataset("x", (0, 100), maxshape=(None, 100), chunks=(50, 100))
            for i in range(50):
                data.resize((i * 50 + 50, 100))
                data[i * 50 :] = np.random.rand(50, 100)""",
    "npy": """
        import numpy as np
        np.save(base / "a.npy", np.random.rand(100_000))""",
    "npz": """
        import numpy as np
        np.savez_compressed(base / "a.npz", a=np.random.rand(100_000))""",
    "png": """
        import numpy as np
        from cimlnk.report.style import pyplot, save
        figure, axis = pyplot().subplots(figsize=(12, 12))
        axis.imshow(np.random.rand(900, 900))
        save(figure, base / "a.png")""",
    "svg": """
        import numpy as np
        from cimlnk.report.style import pyplot, save
        figure, axis = pyplot().subplots()
        axis.plot(np.random.rand(20_000), "o")
        save(figure, base / "a.svg")""",
    "pdf": """
        import numpy as np
        from cimlnk.report.style import pyplot
        plt = pyplot()
        from matplotlib.backends.backend_pdf import PdfPages
        with PdfPages(base / "a.pdf") as pdf:
            figure, axis = plt.subplots()
            axis.plot(np.random.rand(200_000), "o")
            pdf.savefig(figure)""",
    "xlsx": """
        import os, xlsxwriter
        with xlsxwriter.Workbook(str(base / "a.xlsx"), {"constant_memory": True}) as book:
            sheet = book.add_worksheet()
            for i in range(20_000):
                sheet.write_string(i, 0, os.urandom(20).hex())""",
    "csv": """
        import numpy as np, pandas as pd
        pd.DataFrame({"a": np.random.rand(50_000)}).to_csv(base / "a.csv")""",
    "text": """
        (base / "a.txt").write_text("x" * 1_000_000)""",
    "gzip": """
        import gzip, os
        with gzip.open(base / "a.gz", "wb") as stream:
            stream.write(os.urandom(1_000_000))""",
    "fcs": """
        import numpy as np
        from cimlnk.cytof.fcs.write import write_fcs
        write_fcs(base / "a.fcs", np.random.rand(50_000, 5).astype("f4"), list("abcde"))""",
}
# as Snakemake's own object, so that the job ends as in a run
BEGIN = """
import sys
from pathlib import Path
from types import SimpleNamespace
from cimlnk.common.job import job
base = Path(sys.argv[1])
class Snakemake(SimpleNamespace): pass
Snakemake.__module__ = "snakemake.script"
with job(Snakemake(log=[str(base / "log")], params={}, rule="some_rule", input=[]), record=False):
"""
WORDS = (
    "cimlnk: error: rule some_rule: the file: found No space left on device, expected a working disk with free space"
)


def main() -> int:
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=True)
        try:
            for name, body in WRITERS.items():
                for left in Path(folder).iterdir():
                    left.unlink()
                script = BEGIN + textwrap.indent(textwrap.dedent(body), "    ")
                run = subprocess.run(
                    [sys.executable, "-W", "ignore", "-c", script, folder], capture_output=True, text=True
                )
                good = run.returncode == 1 and run.stderr.splitlines() == [WORDS]
                faults += not good
                print(f"{name}: {'one line' if good else f'exit code {run.returncode}: {run.stderr[-1500:]}'}")
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
