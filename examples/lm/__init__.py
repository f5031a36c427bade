"""The parts of the language-model example, one idea a file; `train_lm.py` puts them together."""
