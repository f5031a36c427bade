"""Run a program under the doctor: ``python -m mica.doctor [options] program.py [argument ...]``."""

from mica.doctor.runtime.command import main

if __name__ == "__main__":
    raise SystemExit(main())
