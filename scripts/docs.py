"""Generate completions/, man/ and the README command table from the command tree; --check only reports differences."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rancherctl.cli.docs.generated import drift, write

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        stale = drift(ROOT)
        print("".join(f"{name} is out of date; run `make docs`\n" for name in stale), end="")
        sys.exit(1 if stale else 0)
    for name in write(ROOT):
        print(f"wrote {name}")


main()
