#!/usr/bin/env bash
# Sets up the systems that the benchmarks hold mica against, each in a virtual environment of its own.
#   bench/peers.sh [--dir DIR] [mlx] [torch] [jax] [numpy]        DIR is .peers in the repository if not given
# Afterwards DIR/NAME/run starts the Python of each.
set -euo pipefail

directory="$(dirname "$0")/../.peers"
if [ "${1:-}" = --dir ]; then
    directory=$2
    shift 2
fi
[ $# -gt 0 ] || set -- mlx torch jax numpy
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)

install() {  # install PEER PACKAGE...
    local peer=$1
    shift
    "$directory/$peer/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

launcher() {  # launcher PEER [LIBRARY PATH]
    {
        echo '#!/bin/sh'
        [ -z "${2:-}" ] || echo "export LD_LIBRARY_PATH='$2'"
        echo "exec '$directory/$1/bin/python' \"\$@\""
    } > "$directory/$1/run"
    chmod +x "$directory/$1/run"
}

# The stock wheel wants CUDA libraries to be loadable even if no GPU is used, which an installed toolkit mostly provides.
torch() {
    local toolkit=/usr/local/cuda/lib64
    if [ -d "$toolkit" ]; then
        install torch numpy filelock fsspec jinja2 networkx sympy typing_extensions 'setuptools>=77'
        install torch --no-deps torch triton nvidia-cufile nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvshmem-cu13
        local found
        found=$(find "$directory/torch/lib" -type d -path '*nvidia*' -name lib | paste -sd:)
        launcher torch "$found:$toolkit"
    else
        install torch torch numpy
        launcher torch
    fi
}

for peer in "$@"; do
    case $peer in mlx | torch | jax | numpy) ;; *) echo "unknown peer: $peer" >&2; exit 2 ;; esac
    [ -x "$directory/$peer/run" ] && continue
    python3 -m venv "$directory/$peer"
    case $peer in
        mlx)   install mlx 'mlx[cpu]==0.32.4' numpy; launcher mlx ;;
        torch) torch ;;
        jax)   install jax jax numpy; launcher jax ;;
        numpy) install numpy numpy; launcher numpy ;;
    esac
    module=$peer
    [ "$peer" = mlx ] && module=mlx.core
    "$directory/$peer/run" -c "import $module as m; print('$peer', m.__version__)" || {
        rm -f "$directory/$peer/run"
        exit 1
    }
done
