"""Descriptions of groups of machines, as ``mlx.launch`` and the packages that call it have them."""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import sys
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Host:
    """A process of a group: where it runs, and how it is reached."""

    rank: int
    ssh_hostname: str
    ips: list[str]
    rdma: list[str | list[str] | None]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@dataclass
class Hostfile:
    """The processes of a group, in the order of their ranks, and what connects them."""

    hosts: list[Host]
    backend: str = ""
    envs: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """What stands in a file: ``backend``, ``envs`` and ``hosts``."""
        hosts = [{"ssh": h.ssh_hostname, "ips": h.ips, "rdma": h.rdma} for h in self.hosts]
        return {"backend": self.backend, "envs": self.envs, "hosts": hosts}

    @classmethod
    def from_list(cls, hostlist: str, repeats: int = 1) -> Hostfile:
        """Names of machines, separated by commas, with ``repeats`` processes on each.

        Raises:
            ValueError: a name is empty.
        """
        hosts: list[Host] = []
        for name in hostlist.split(","):
            if not name:
                raise ValueError("Hostname cannot be empty")
            for _ in range(repeats):
                hosts.append(Host(len(hosts), name, [name] if _is_address(name) else [], []))
        return cls(hosts)

    @classmethod
    def from_file(cls, hostfile: str | os.PathLike[str]) -> Hostfile:
        """Read a file: a list of machines, or an object as ``to_json`` makes it.

        Raises:
            ValueError: there is no such file, or it is no description.
        """
        if not os.path.exists(hostfile):
            raise ValueError(f"Hostfile {os.fspath(hostfile)} doesn't exist")
        try:
            with open(hostfile, encoding="utf-8") as file:
                data = json.load(file)
            if isinstance(data, list):
                data = {"hosts": data}
            hosts = [
                Host(rank, host["ssh"], host.get("ips", []), host.get("rdma", []))
                for rank, host in enumerate(data["hosts"])
            ]
            return cls(hosts, data.get("backend", ""), data.get("envs", []))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"Failed to parse hostfile {os.fspath(hostfile)} ({error})") from error


class OptionalBoolAction(argparse.Action):
    """An option with the names ``--x`` and ``--no-x`` and ``nargs=0``: True, False, or the default."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, not (option_string or "").startswith("--no-"))


def positive_number(x: str) -> int:
    """An integer above 0, for argparse.

    Raises:
        ValueError: it is something else.
    """
    number = int(x)
    if number <= 0:
        raise ValueError("Number should be positive")
    return number


def _print(color: int, kind: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    kwargs["file"] = sys.stderr
    print(f"\033[{color}m[{kind}]", *args, "\033[0m", **kwargs)


def log(verbose: bool, *args: Any, **kwargs: Any) -> None:
    """Say something on stderr if ``verbose``."""
    if verbose:
        _print(32, "INFO", args, kwargs)


def log_warning(*args: Any, **kwargs: Any) -> None:
    """Warn on stderr."""
    _print(33, "WARN", args, kwargs)


def log_error(*args: Any, **kwargs: Any) -> None:
    """Tell of an error on stderr."""
    _print(31, "ERROR", args, kwargs)
