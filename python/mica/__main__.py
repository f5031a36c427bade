"""Run a program that was written for MLX on mica, or a command of mica.

python -m mica [--strict-devices] program.py [argument ...]
python -m mica [--strict-devices] -m module [argument ...]
python -m mica [--strict-devices] -c "code" [argument ...]
python -m mica command [argument ...]

Everything is as under ``python`` itself: sys.argv, sys.path[0], ``__main__``, exit status and tracebacks; but
imports of mlx, mlx.core, mlx.nn, mlx.optimizers and mlx.utils give mica's modules. Work for mx.gpu runs on
the CPU where there is no GPU, with one warning; with --strict-devices it is an error.
"""

import mica._launch

if __name__ == "__main__":
    mica._launch.main(__doc__ or "")
