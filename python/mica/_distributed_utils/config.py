"""``mlx.distributed_config``: the network of a group. Groups of mica have one process and need none."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """The command ``mlx.distributed_config``: says that there are no backends, with status 2."""
    print(
        "mlx.distributed_config: mica has no distributed backend that could be configured; do it with MLX",
        file=sys.stderr,
    )
    raise SystemExit(2)


if __name__ == "__main__":
    main()
