"""``python -m mica.lint``: the static checker. The same as ``python -m mica lint``; needs no engine."""

import sys

from mica.doctor.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
