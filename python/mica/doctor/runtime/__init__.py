"""The doctor at run time: watches evaluations, finds mistakes in what really ran, and says what would run."""
