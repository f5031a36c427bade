"""Programs written for MLX do not notice that mlx means mica; without the alias nothing changes for them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("mlx.core")


def python(
    *arguments: str, cwd: Path, alias: bool = True, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run Python, on mica or as it is."""
    command = [sys.executable, *(["-m", "mica"] if alias else []), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout)


def output(program: str, cwd: Path, alias: bool = True) -> str:
    """What a program prints, which must be all it says."""
    result = python("-c", textwrap.dedent(program), cwd=cwd, alias=alias)
    assert result.returncode == 0 and not result.stderr, result.stderr
    return result.stdout


def test_every_module_of_the_reference(tmp_path: Path) -> None:
    """All its modules can be imported in all spellings, and are mica's."""
    names = output(
        """
        import pkgutil, mlx.core, mlx.nn, mlx.optimizers, mlx.utils, mlx._distributed_utils
        for package in (mlx.nn, mlx.optimizers, mlx._distributed_utils):
            for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
                print(module.name)
        print("mlx.extension")
        for name in dir(mlx.core):
            if type(getattr(mlx.core, name)) is type(mlx.core):
                print("mlx.core." + name)
        """,
        tmp_path,
        alias=False,
    ).split()
    assert len(names) > 20
    program = f"""
    import importlib, sys, mica
    for name in {names + ["mlx", "mlx.core", "mlx.nn", "mlx.optimizers", "mlx.utils"]!r}:
        module = importlib.import_module(name)
        assert module is importlib.import_module(name.replace("mlx", "mica", 1)), name
        assert module is sys.modules[name], name
    import mlx.nn.layers.linear as a, mlx.core as b
    from mlx.nn.layers import linear as c
    from mlx import core as d, nn, optimizers, utils
    import mlx, mica.core
    assert a is c is mlx.nn.layers.linear and b is d is mlx.core is mica.core
    assert list(mlx.__path__) == list(mica.__path__)
    assert isinstance(nn.Linear(1, 1), mica.nn.Module) and isinstance(mica.core.array(1), mlx.core.array)
    """
    output(program, tmp_path)


def test_metadata(tmp_path: Path) -> None:
    """What packages ask of the distribution is answered as by the reference's."""
    program = """
    import importlib.metadata as metadata
    print(metadata.version("mlx"), metadata.distribution("MLX").metadata["Name"])
    import mlx.core as mx
    print(mx.__version__)
    try:
        metadata.version("no-such-distribution-of-mlx")
    except metadata.PackageNotFoundError:
        print("none")
    """
    assert output(program, tmp_path).split() == ["0.32.4", "mlx", "0.32.4", "none"]


def test_an_installed_mlx_is_left_alone(tmp_path: Path) -> None:
    """Without the alias mlx is itself, also beside mica; with it, none of its files is loaded."""
    beside = """
    import mica.core, mica.nn, mlx.core, mlx.nn, sys
    assert mlx.core.array is not mica.core.array and mlx.nn.Linear is not mica.nn.Linear
    assert "mica.as_mlx" not in sys.modules and mica.core.__version__ != mlx.core.__version__
    assert mlx.core.array([1.0]).tolist() == mica.core.array([1.0]).tolist()
    """
    output(beside, tmp_path, alias=False)
    alone = """
    import mlx.core, mlx.nn, mlx.optimizers, sys
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None) or ""
        assert "site-packages/mlx" not in file, file
    """
    output(alone, tmp_path)


def test_mlx_data(tmp_path: Path) -> None:
    """A package of another distribution in the folder mlx is found there, and what it imports is mica."""
    folder = tmp_path / "mlx/data"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("import mlx.core\nfrom mlx.data.part import value\n")
    (folder / "part.py").write_text("value = 3\n")
    program = """
    import mica.core, mlx.core, mlx.data, mlx.data.part
    assert mlx.data.value == 3 and mlx.data.mlx.core is mica.core
    """
    output(program, tmp_path)
    assert (
        "No module named 'mlx.data.nowhere'" in python("-c", "import mlx.data.nowhere", cwd=tmp_path).stderr
    )


MAKE_PICKLES = """
import base64, pickle
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
optimizer = optim.Adam(0.1)
optimizer.init({"w": mx.ones((2,))})
values = {
    "array": mx.array([[1.5, 2.5]]), "scalar": mx.array(3), "wide": mx.array([1], mx.int64),
    "half": mx.array([1.5, -2.0], mx.bfloat16),
    "complex": mx.array([1 + 2j]), "class": nn.Linear, "kind": mx.cpu,
    "model": nn.Sequential(nn.Linear(2, 3), nn.ReLU()), "optimizer": optimizer,
}
print(base64.b64encode(pickle.dumps(values)).decode())
"""


@pytest.mark.parametrize("alias", [True, False], ids=["mica", "reference"])
def test_pickles(alias: bool, tmp_path: Path) -> None:
    """Of mica's own objects, and those that the reference wrote."""
    data = output(MAKE_PICKLES, tmp_path, alias=alias).strip()
    assert b"mica" in base64.b64decode(data) if alias else b"mica" not in base64.b64decode(data)
    program = f"""
    import base64, pickle
    import mlx.core as mx, mlx.nn as nn
    values = pickle.loads(base64.b64decode({data!r}))
    assert values["array"].tolist() == [[1.5, 2.5]] and values["array"].dtype == mx.float32
    assert values["scalar"].item() == 3 and values["wide"].dtype == mx.int64
    assert values["half"].tolist() == [1.5, -2.0] and values["half"].dtype == mx.bfloat16
    assert values["complex"].item() == 1 + 2j
    assert values["class"] is nn.Linear and values["kind"] is mx.cpu
    assert type(values["model"]) is nn.Sequential and values["model"](mx.ones((1, 2))).shape == (1, 3)
    assert values["optimizer"].state["w"]["m"].tolist() == [0.0, 0.0]
    """
    output(program, tmp_path)


PROCESSES = """
import multiprocessing as mp
import mlx.core as mx
import mlx.nn as nn

def work(x):
    import mica.core
    assert mx is mica.core
    mx.set_default_device(mx.gpu)
    return (2 * x).tolist(), nn.Linear

if __name__ == "__main__":
    mx.set_default_device(mx.gpu)
    for kind in ("spawn", "forkserver"):
        with mp.get_context(kind).Pool(1) as pool:
            (values, linear), = pool.map(work, [mx.array([1.0, 2.0])])
        assert values == [2.0, 4.0] and linear is nn.Linear
    print("done")
"""


def test_processes(tmp_path: Path) -> None:
    """What multiprocessing starts sees the same mlx, and does not warn of the GPU again."""
    (tmp_path / "program.py").write_text(PROCESSES)
    result = python("program.py", cwd=tmp_path)
    assert result.stdout == "done\n" and result.returncode == 0, result.stderr
    assert result.stderr.count("RuntimeWarning") == 1


@pytest.mark.parametrize(
    "how",
    [
        "launcher",
        pytest.param("plugin", marks=pytest.mark.long),
        pytest.param("xdist", marks=pytest.mark.long),
        "launcher with xdist",
    ],
)
def test_pytest(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the launcher, and with the alias as a plugin, also in several processes."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "conftest.py").write_text("import mlx.core as mx\n")
    (tmp_path / "test_program.py").write_text(
        "import mlx.core as mx, mica.core\n"
        "def test_alias():\n    assert mx is mica.core\n"
        "def test_fails():\n    assert mx.array(1).item() == 2\n"
    )
    options = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    if how in ("plugin", "xdist"):
        options += ["-p", "mica.as_mlx"]
    if "xdist" in how:
        options += ["-p", "xdist", "-n", "1"]
    result = python(*options, cwd=tmp_path, alias=how.startswith("launcher"))
    assert result.returncode == 1, result.stdout + result.stderr
    assert "1 failed, 1 passed" in result.stdout and "assert 1 == 2" in result.stdout, result.stdout


HOSTFILES = """
import json, pathlib, tempfile
from mlx._distributed_utils.common import Hostfile, positive_number
from mlx._distributed_utils.launch import launch_jaccl, launch_ring
import mlx.extension

def show(function, *arguments):
    try:
        result = function(*arguments)
        print(result, result.to_json() if hasattr(result, "to_json") else "")
    except ValueError as error:
        print("ValueError", str(error).replace(folder, "folder"))

folder = tempfile.mkdtemp()
for names in (["a,b"], ["a,127.0.0.1", 2], [""], ["::1"]):
    show(Hostfile.from_list, *names)
host = {"ssh": "a", "ips": ["1.2.3.4"], "rdma": [None, "en0"]}
group = {"backend": "ring", "envs": ["A=1"], "hosts": [host]}
for content in ([host, {"ssh": "b"}], group, [{"ips": []}], {}):
    path = pathlib.Path(folder, "hosts.json")
    path.write_text(json.dumps(content))
    show(Hostfile.from_file, str(path))
path.write_text("none")
show(Hostfile.from_file, str(path))
show(Hostfile.from_file, folder + "/missing")
for text in ("3", "0", "x"):
    show(positive_number, text)
"""


def test_descriptions_of_groups(tmp_path: Path) -> None:
    """Host files are read as by the reference; starting a group says that there is none."""
    assert output(HOSTFILES, tmp_path) == output(HOSTFILES, tmp_path, alias=False)
    program = """
    import pytest
    from mlx._distributed_utils.common import Hostfile
    from mlx._distributed_utils.launch import launch_jaccl, launch_ring
    from mlx.extension import CMakeExtension
    for launch in (launch_ring, launch_jaccl):
        with pytest.raises(RuntimeError, match="2 processes cannot be connected.*launch it with MLX"):
            launch(None, Hostfile.from_list("a,b").hosts, None, ["program.py"])
    with pytest.raises(RuntimeError, match="CMakeExtension.*C API"):
        CMakeExtension("mine._ext")
    """
    output(program, tmp_path)


# ---- devices that are not there ----

ASK = """
import mlx.core as mx
mx.set_default_device(mx.gpu)
stream = mx.new_stream(mx.gpu)
with mx.stream(mx.gpu):
    a = mx.add(mx.ones((2,)), 1, stream=stream)
b = mx.random.uniform(shape=(2,), stream=mx.gpu)
c = mx.arange(3, stream=mx.Device(mx.gpu, 0))
mx.eval(a, b, c)
mx.synchronize(mx.default_stream(mx.gpu))
limit = mx.metal.device_info()["max_recommended_working_set_size"]
assert 0 < limit <= mx.device_info()["memory_size"] and mx.device_info(mx.gpu)["max_buffer_length"] == limit
mx.metal.set_wired_limit(limit)
mx.metal.set_cache_limit(limit)
mx.metal.clear_cache()
mx.metal.start_capture("trace.gputrace")
mx.metal.stop_capture()
assert not mx.metal.is_available() and mx.metal.get_peak_memory() >= 0
print(a.tolist(), c.tolist(), stream, mx.default_device())
"""


def test_programs_for_a_gpu(tmp_path: Path) -> None:
    """They run on the CPU with one warning; an index beyond stays an error."""
    (tmp_path / "program.py").write_text(ASK)
    result = python("program.py", cwd=tmp_path)
    assert result.stdout == "[2.0, 2.0] [0, 1, 2] Stream(Device(cpu, 0), 1) Device(cpu, 0)\n", result.stderr
    warnings = [line for line in result.stderr.splitlines() if "Warning" in line and "metal" not in line]
    assert len(warnings) == 1 and "program.py:3" in warnings[0] and "runs on the CPU" in warnings[0]
    result = python("-c", "import mlx.core as mx\nmx.new_stream(mx.Device(mx.gpu, 1))", cwd=tmp_path)
    assert "ValueError" in result.stderr and "no GPU backend" in result.stderr


@pytest.mark.parametrize(
    "line", ["set_default_device(mx.gpu)", "new_stream(mx.gpu)", "ones(1, stream=mx.gpu)"]
)
def test_strict_devices(line: str, tmp_path: Path) -> None:
    """With --strict-devices, and with mica by its own name, the reference's error."""
    program = "import {}.core as mx\ntry: mx.{}\nexcept ValueError as error: print('gpu' in str(error))\n"
    strict = python("--strict-devices", "-c", program.format("mlx", line), cwd=tmp_path)
    direct = python("-c", program.format("mica", line), cwd=tmp_path, alias=False)
    assert (strict.stdout, strict.stderr) == (direct.stdout, direct.stderr) == ("True\n", "")
    assert python("--strict-devices", cwd=tmp_path).returncode == 2


# ---- commands ----


def test_info(tmp_path: Path) -> None:
    """mica info tells versions, processor, settings and where these come from."""
    env = {**os.environ, "MICA_THREADS": "1", "MLX_DISABLE_COMPILE": "1"}
    command = [sys.executable, "-m", "mica", "info"]
    text = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert text.returncode == 0 and not text.stderr
    lines = " ".join(text.stdout.split())
    for part in (
        "API MLX 0.32.4",
        "threads 1",
        "LAPACK /",
        "gpu none",
        "MICA_THREADS 1 from MICA_THREADS",
        "MICA_DISABLE_COMPILE 1 from MLX_DISABLE_COMPILE",
        "Report a problem",
    ):
        assert part in lines, text.stdout
    found = json.loads(subprocess.run([*command, "--json"], env=env, capture_output=True, check=True).stdout)
    assert found["processor"]["threads"] == 1
    assert {row["name"]: row["source"] for row in found["settings"]}["threads"] == "environment"
    wrong = subprocess.run([*command, "--strange"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "--strange" in wrong.stderr
    env["MICA_CHECK"] = "many"
    wrong = subprocess.run(command, env=env, capture_output=True, text=True)
    assert (
        wrong.returncode == 1 and "MICA_CHECK is 'many'" in wrong.stderr and "Traceback" not in wrong.stderr
    )


def test_a_program_named_like_a_command(tmp_path: Path) -> None:
    """is a program; the console script does what python -m mica does."""
    (tmp_path / "info").write_text("print('program')\n")
    assert python("info", cwd=tmp_path).stdout == "program\n"
    script = tmp_path / "mica"
    script.write_text("import sys\nfrom mica._commands import main\nsys.exit(main())\n")
    (tmp_path / "part.py").write_text("import sys, mlx.core\nprint(mlx.core.__name__, sys.argv[1:])\n1 / 0\n")
    (tmp_path / "elsewhere").mkdir()
    script = script.rename(tmp_path / "elsewhere" / "mica")
    for arguments in (["-m", "part", "x"], ["part.py", "x"]):
        result = python(str(script), *arguments, cwd=tmp_path, alias=False)
        assert result.stdout == "mica.core ['x']\n" and result.returncode == 1
        assert result.stderr.count("File ") == 1 and "part.py" in result.stderr, result.stderr
    assert python(str(script), cwd=tmp_path, alias=False).stdout.count("info") == 1


# ---- notebooks ----


@pytest.mark.long
def test_ipython(tmp_path: Path) -> None:
    """Under the launcher, and with the extension."""
    pytest.importorskip("IPython")
    program = "import mlx.core as mx, mica.core; print(mx is mica.core, mx.new_stream(mx.gpu))"
    env = {**os.environ, "IPYTHONDIR": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    for command in (
        ["-m", "mica", "-m", "IPython", "-c", program],
        ["-m", "IPython", "-c", f"%load_ext mica.as_mlx\n{program}"],
    ):
        result = subprocess.run(
            [sys.executable, *command], env=env, capture_output=True, text=True, timeout=120
        )
        assert "True Stream" in result.stdout, result.stdout + result.stderr


@pytest.mark.long
@pytest.mark.parametrize("how", ["kernel", "extension"])
def test_jupyter(how: str, tmp_path: Path) -> None:
    """Notebooks run on a kernel that the launcher starts, and with the extension on any kernel."""
    manager = pytest.importorskip("jupyter_client").KernelManager()
    pytest.importorskip("ipykernel")
    launcher = ["-m", "mica"] if how == "kernel" else []
    manager.kernel_spec.argv = [
        sys.executable, *launcher, "-m", "ipykernel_launcher", "-f", "{connection_file}",
    ]  # fmt: skip
    manager.start_kernel(cwd=str(tmp_path))
    try:
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        found: list[str] = []
        code = "import mlx.core as mx, mica.core, mlx.nn as nn\nprint(mx is mica.core, nn.Linear(2, 3))"
        if how == "extension":
            code = "%load_ext mica.as_mlx\n" + code
        reply = client.execute_interactive(
            code, timeout=60, output_hook=lambda message: found.append(str(message["content"]))
        )
        assert reply["content"]["status"] == "ok", found
        assert any("True Linear(input_dims=2" in text for text in found)
        client.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)
