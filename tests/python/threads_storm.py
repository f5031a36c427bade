"""Threads that build, evaluate, interrupt and drop the same graphs at once, in Python.

A program of its own, without NumPy or another array library, so that it also runs under the thread
sanitizer (`make tsan`). The argument says how many turns each thread takes.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading

import mica.core as mx

THREADS, PLACES = 8, 12


class Storm:
    """Place i always holds an array of the value i, in some state of evaluation."""

    def __init__(self) -> None:
        self.places = [mx.full((8,), i) for i in range(PLACES)]
        self.streams = [mx.new_stream(mx.cpu) for _ in range(3)]
        self.shared = mx.new_thread_local_stream(mx.cpu)
        self.double = mx.compile(lambda x: x * 2)
        self.slope = mx.grad(lambda x: (x * 3.0).sum())
        self.wrong: list[str] = []
        self.ready = threading.Barrier(THREADS + 1)

    def rebuild(self, draw: random.Random, i: int) -> mx.array:
        """Another graph of the value i, with the stream that it is on."""
        x = self.places[i]
        match draw.randrange(8):
            case 0:
                return mx.full((8,), float(i))
            case 1:
                return x + 1 - 1
            case 2:
                for _ in range(draw.randrange(20)):
                    x = mx.eye(8) @ x
                return x
            case 3:
                return self.places[draw.randrange(PLACES)] * 0 + x
            case 4:
                return self.double(x) / 2
            case 5:
                return self.slope(x) * 0 + x
            case 6:
                return mx.vmap(lambda a: a + 0)(x)
            case _:
                y = mx.zeros((8,))
                y[:] = x
                return y

    def sail(self, seed: int, turns: int) -> None:
        """One thread's turns."""
        draw = random.Random(seed)
        self.ready.wait()
        try:
            for _ in range(turns):
                i = draw.randrange(PLACES)
                with mx.stream(draw.choice([*self.streams, self.shared, mx.cpu])):
                    x = self.rebuild(draw, i)
                    match draw.randrange(6):
                        case 0:
                            mx.async_eval(x)
                        case 1:
                            mx.eval(x)
                        case 2:
                            mx.synchronize(draw.choice(self.streams))
                        case 3:
                            mx.new_stream(mx.cpu)
                            mx.clear_cache()
                    self.places[i] = x
                    if draw.random() < 0.5 and x[0].item() != i:
                        self.wrong.append(f"{x[0].item()} where {i} was expected")
        except Exception as error:  # noqa: BLE001
            self.wrong.append(f"{type(error).__name__}: {error}")


def main(turns: int) -> int:
    """Run the storm, with Ctrl-C now and then in the main thread.

    Returns:
        0, or 1 when a value was wrong or a thread failed.
    """
    storm = Storm()
    crew = [threading.Thread(target=storm.sail, args=(seed, turns)) for seed in range(THREADS)]
    for thread in crew:
        thread.start()
    interrupted = 0
    storm.ready.wait()
    while any(thread.is_alive() for thread in crew):
        x = mx.zeros((8,))
        for _ in range(300):
            x = mx.eye(8) @ x + 1
        try:
            os.kill(os.getpid(), signal.SIGINT)
            mx.eval(x)
            crew[0].join(0.05)
        except KeyboardInterrupt:
            interrupted += 1
        try:
            if x[0].item() != 300:
                storm.wrong.append("an interrupted array has another value")
        except KeyboardInterrupt:
            interrupted += 1
    for i, x in enumerate(storm.places):
        if x.tolist() != [i] * 8:
            storm.wrong.append(f"place {i} holds {x.tolist()}")
    for text in storm.wrong[:10]:
        print(text, file=sys.stderr)
    print(f"{THREADS * turns} turns, {interrupted} interruptions")
    return int(bool(storm.wrong))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
