"""Programs that were written for MLX, unchanged, on mica and on the wheel."""
