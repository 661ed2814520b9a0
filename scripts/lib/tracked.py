"""Look through the files under version control for what must not be in them.

Package-index addresses and index options (where packages come from is the machine's business, the hashes say what they
are), and absolute paths of the machine a file was written on. Exit code 1 and one line per finding.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Classes of one character keep these lines from finding themselves.
FORBIDDEN = {
    "the address of a package index": re.compile(r"https?://[^\s/\"']*(py[p]i|python[h]osted)", re.IGNORECASE),
    "an option that names a package index": re.compile(r"(^|\s)--(extra-[i]ndex-url|[i]ndex-url|[t]rusted-host)\b"),
    "a path of one machine": re.compile(r"(?<![\w.$}/*-])/([w]ork|[r]oot|[h]ome|[U]sers)/\w"),
}
BINARY = {".png", ".ico", ".woff2", ".gz", ".zst", ".db"}


def tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True, text=True
    ).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def findings(path: Path) -> list[str]:
    if path.suffix in BINARY:
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found += [f"{path.relative_to(ROOT)}:{number}: {what}" for what, rule in FORBIDDEN.items() if rule.search(line)]
    return found


def main() -> int:
    problems = [line for path in tracked() for line in findings(path)]
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
