"""Make the README's pictures again from a finished run: python docs/pictures.py [--config FILE]."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
# picture of README -> file below results/<cohort id>
PICTURES = {"docs/images/nk_per_ul_by_patient.svg": "report/figures/nk_per_ul_by_patient.svg"}


def main() -> int:
    """Copy the pictures; 1 with one message if the run is not there or not finished."""
    parser = argparse.ArgumentParser("pictures", description="README's pictures from a finished run.")
    parser.add_argument("--config", default="config/config.yaml", help="config of the run (the default cohort)")
    parser.add_argument("--to", default=ROOT, type=Path, help="folder whose docs/images/ is written (the checkout)")
    given = parser.parse_args()
    cohort = yaml.safe_load((ROOT / given.config).read_text(encoding="utf-8"))["cohort"]["id"]
    results = ROOT / "results" / cohort
    lacking = [place for place in PICTURES.values() if not (results / place).is_file()]
    if lacking:
        print(f"pictures: found no {results.name}/{lacking[0]}, expected a finished run: ./run first", file=sys.stderr)
        return 1
    for picture, place in PICTURES.items():
        (given.to / picture).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(results / place, given.to / picture)
        print(f"pictures: {picture} from results/{cohort}/{place}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
