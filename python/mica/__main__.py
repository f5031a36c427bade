"""Run a program that was written for MLX on mica.

python -m mica program.py [argument ...]
python -m mica -m module [argument ...]
python -m mica -c "code" [argument ...]

Everything is as under ``python`` itself: sys.argv, sys.path[0], ``__main__``, exit status and tracebacks; but
imports of mlx, mlx.core, mlx.nn, mlx.optimizers and mlx.utils give mica's modules.
"""

import mica._launch

if __name__ == "__main__":
    mica._launch.main(__doc__ or "")
