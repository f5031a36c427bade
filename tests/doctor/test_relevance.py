"""Files that cannot hold arrays are not walked through; all others are."""

from __future__ import annotations

import pytest
from mica.doctor.config import Config
from mica.doctor.relevance import may_hold_arrays
from mica.doctor.run import check_files

LOOP = "for v in make():\n    print(v.item())\n"


@pytest.mark.parametrize("line", [
    "from helper import make", "import helper", "import os, helper as h", "from helper import (\n  make,\n)",
    "import os; from helper import make", "if True:\n    from helper import make", "from . import helper",
    "from .helper import make", "from package import make", "from package.deep import make",
    "from package import deep", "import package.deep", "from helper import *", "from plain import make",
])  # fmt: skip
def test_imports_are_followed(tmp_path, line):
    (tmp_path / "helper.py").write_text("import mlx.core as mx\n")
    (tmp_path / "plain.py").write_text("from helper import make\n")
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("from .deep import make\n")
    (package / "deep.py").write_text("from mica import core\n")
    main = tmp_path / "main.py"
    assert may_hold_arrays(str(main), line.encode())
    if "helper" in line:
        assert not may_hold_arrays(str(main), line.replace("helper", "other").encode())


@pytest.mark.parametrize("text", ["import os", "import numpy as np\nfrom torch import nn", "",
                                  "from . import x",
                                  "import main", "x = 1 if True else 2"])  # fmt: skip
def test_plain_files_are_left_out(tmp_path, text):
    main = tmp_path / "main.py"
    main.write_text(text)
    assert not may_hold_arrays(str(main), text.encode())


def test_a_remembered_silence_ends_when_an_import_changes(tmp_path):
    """The same file has findings once a file it imports makes arrays."""
    config = Config(root=tmp_path, cache=True)
    main, helper = tmp_path / "main.py", tmp_path / "helper.py"
    main.write_text("from helper import make\n\n" + LOOP)

    def rules():
        return [f.rule for r in check_files([str(main)], config) for f in r.findings]

    assert rules() == rules() == []
    helper.write_text("def make():\n    return [1]\n")
    assert rules() == []
    helper.write_text("import mlx.core as mx\n\n\ndef make():\n    return mx.exp(mx.ones((64,)))\n")
    assert rules() == ["MX101"]
