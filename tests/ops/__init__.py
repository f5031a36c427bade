"""The matrix: every function x dtype x layout x mode, against oracles."""
