"""One line a function, by family."""
