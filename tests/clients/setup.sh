#!/usr/bin/env bash
# Brings programs that were written for MLX, by the lists in pyproject.toml, for the tests in this folder:
#   tests/clients/setup.sh PYTHON STAGE...        stages: clients, clients-more
# .clients/mica has them beside mica, with no mlx at all; .clients/mlx has the wheel, and sees the same files.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
python=$1
shift
mica=$root/.clients/mica
mlx=$root/.clients/mlx
pip() { "$mica/bin/python" -m pip --disable-pip-version-check "$@"; }

if ! [ -e "$mlx/ready" ]; then
    rm -rf "$root/.clients"
    "$python" -m venv "$mica"
    "$python" -m venv --without-pip "$mlx"
    site=$("$mica/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "$root/python" > "$site/mica.pth"
    "$mlx/bin/python" -c 'import sysconfig, pathlib, sys
pathlib.Path(sysconfig.get_path("purelib"), "clients.pth").write_text(sys.argv[1] + "\n")' "$site"
    pip --python "$mlx/bin/python" install --quiet --no-compile "$("$python" "$root/tools/parts.py" test | grep '^mlx')"
    touch "$mlx/ready"
fi
for stage in "$@"; do
    "$python" "$root/tools/parts.py" "$stage-needs" > "$mica/$stage-needs.txt"
    "$python" "$root/tools/parts.py" "$stage" > "$mica/$stage.part"
    pip install --quiet --no-compile -r "$mica/$stage-needs.txt"
    # Without what they require: some ask for older versions of parts that work in newer ones.
    pip install --quiet --no-compile --no-deps -r "$mica/$stage.part"
    mv "$mica/$stage.part" "$mica/$stage.txt" # the tests look for this
done
