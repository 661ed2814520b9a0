"""The gateway under cProfile: ``python -m bench.profiled OUTPUT serve …``. The profile is written when it ends."""

import cProfile
import sys

from antiphon.cli import run


def main() -> int:
    output, *arguments = sys.argv[1:]
    profile = cProfile.Profile()
    try:
        return profile.runcall(run, arguments)
    finally:
        profile.dump_stats(output)


if __name__ == "__main__":
    sys.exit(main())
