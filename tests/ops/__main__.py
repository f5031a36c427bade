"""``python -m tests.ops --coverage`` prints what nothing proves, ``--digest`` a digest of every case."""

from __future__ import annotations

import sys


def main() -> int:
    """Runs what the argument names."""
    if sys.argv[1:] == ["--coverage"]:
        from tests.ops import coverage

        return coverage.main()
    if sys.argv[1:] == ["--digest"]:
        from tests.ops import digest

        digest.main()
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
