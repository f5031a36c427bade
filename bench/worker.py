"""Does one piece of work inside one system's interpreter, on demand.

    worker.py FOLDER WORK KEY

Reads a number of runs from each line of standard input and answers with the seconds they took, or with an
error, as JSON. Whatever the work itself prints goes to standard error.
"""

import gc
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import registry


def main(folder: str, name: str, key: str) -> None:
    """Prepare the work, then serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**fields: object) -> None:
        answers.write(json.dumps(fields) + "\n")

    try:
        work = next(work for work in registry.load(Path(folder)) if work.name == name)
        run = work.prepare[key]()
        answer(ready=True)
        for line in sys.stdin:
            gc.collect()
            start = time.perf_counter()
            for _ in range(int(line)):
                run()
            answer(seconds=time.perf_counter() - start)
    except Exception as error:
        answer(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
