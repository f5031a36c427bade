"""Run a program that was written for MLX on mica, or one of mica's commands.

python -m mica program.py [argument ...]
python -m mica -m module [argument ...]
python -m mica -c "code" [argument ...]
python -m mica lint [file or folder ...]
python -m mica doctor [option ...] program.py [argument ...]

Everything is as under ``python`` itself: sys.argv, sys.path[0], ``__main__``, exit status and tracebacks; but
imports of mlx, mlx.core, mlx.nn, mlx.optimizers and mlx.utils give mica's modules.
"""

import sys

import mica._commands
import mica._launch


def main() -> None:
    """Run the command or program that the arguments name."""
    status = mica._commands.run(sys.argv[1:])
    if status is not None:
        raise SystemExit(status)
    mica._launch.main(__doc__ or "")


if __name__ == "__main__":
    main()
