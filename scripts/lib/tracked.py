"""Search the files under version control for text that must not be in them.

That is the addresses and options of package indexes, because each machine chooses its own index and hashes identify the
packages, and the absolute paths of one machine. Prints one line per finding; the exit code is 1 if there are any.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The character classes keep these patterns from matching their own lines.
FORBIDDEN = {
    "the address of a package index": re.compile(r"https?://[^\s/\"']*(py[p]i|python[h]osted)", re.IGNORECASE),
    "an option that names a package index": re.compile(r"(^|\s)--(extra-[i]ndex-url|[i]ndex-url|[t]rusted-host)\b"),
    "a path of one machine": re.compile(r"(?<![\w.$}/*-])/([w]ork|[r]oot|[h]ome|[U]sers)/\w"),
}
BINARY = {".png", ".ico", ".woff2", ".gz", ".zst", ".db"}


def list_tracked_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True, text=True
    ).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def find_problems(path: Path) -> list[str]:
    if path.suffix in BINARY:
        return []
    problems = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        place = f"{path.relative_to(ROOT)}:{number}"
        problems += [f"{place}: {name}" for name, pattern in FORBIDDEN.items() if pattern.search(line)]
    return problems


def main() -> int:
    problems = [problem for path in list_tracked_files() for problem in find_problems(path)]
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
