"""The doctor: finds the mistakes people make with lazy arrays, before running (`mica lint`) and while running.

Nothing here imports the engine: the static checker works where only Python is.
"""
