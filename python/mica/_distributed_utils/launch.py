"""``mlx.launch``: programs on several machines. Groups of mica have one process, so nothing is started."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from mica._distributed_utils.common import Host


def _refuse(what: str, hosts: Sequence[Host]) -> NoReturn:
    raise RuntimeError(
        f"[{what}] {len(hosts)} processes cannot be connected: mica has no distributed backend, and its "
        "groups have one process. Start the program by itself, or launch it with MLX"
    )


def launch_ring(parser: Any, hosts: Sequence[Host], args: argparse.Namespace, command: Sequence[str]) -> None:
    """Connect processes in a ring: refused."""
    _refuse("launch_ring", hosts)


def launch_nccl(parser: Any, hosts: Sequence[Host], args: argparse.Namespace, command: Sequence[str]) -> None:
    """Connect processes by NCCL: refused."""
    _refuse("launch_nccl", hosts)


def launch_jaccl(
    parser: Any, hosts: Sequence[Host], args: argparse.Namespace, command: Sequence[str]
) -> None:
    """Connect processes by RDMA: refused."""
    _refuse("launch_jaccl", hosts)


def launch_mpi(parser: Any, hosts: Sequence[Host], args: argparse.Namespace, command: Sequence[str]) -> None:
    """Connect processes by MPI: refused."""
    _refuse("launch_mpi", hosts)


def main() -> NoReturn:
    """The command ``mlx.launch``: says that there are no backends, with status 2."""
    print(
        "mlx.launch: mica has no distributed backend, and its groups have one process; start the program "
        "with python -m mica, or launch it with MLX",
        file=sys.stderr,
    )
    raise SystemExit(2)


if __name__ == "__main__":
    main()
