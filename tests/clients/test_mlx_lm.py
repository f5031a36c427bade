"""mlx_lm as it comes from pip: converting, generating, fine-tuning, measuring."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.clients.environment import HERE, answer, checkpoints, needs, run

pytestmark = needs("clients")

QUANTIZATIONS = {
    "affine": ["-q", "--q-bits", "4"],
    "mxfp4": ["-q", "--q-mode", "mxfp4"],
    "mixed": ["-q", "--quant-predicate", "mixed_4_6"],
    "half": ["--dtype", "bfloat16"],
}
KINDS = ("none", "affine", "mxfp4", "mixed")
# The greedy choice is compared while the best two lie further apart than rounding can reach.
ROUNDING = 2e-4
long = pytest.mark.long


def convert(side: str, model: str, kind: str, folder: Path) -> Path:
    """A converted checkpoint."""
    source = checkpoints() / model

    def make(target: Path) -> None:
        run(side, "-m", "mlx_lm", "convert", "--hf-path", source, "--mlx-path", target, *QUANTIZATIONS[kind])

    return answer(side, f"{model}-{kind}", make, folder)


def entries(file: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Element type, shape and bytes of each tensor of a safetensors file."""
    data = file.read_bytes()
    length = int.from_bytes(data[:8], "little")
    result = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            result[name] = entry["dtype"], tuple(entry["shape"]), data[start:end]
    return result


def tensors(file: Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file of whole numbers and float32."""
    kinds = {"F32": np.float32, "U32": np.uint32}
    return {n: np.frombuffer(data, kinds[t]).reshape(shape) for n, (t, shape, data) in entries(file).items()}


def probe(side: str, model: Path, name: str, folder: Path) -> dict[str, np.ndarray]:
    """The numbers of probe.py."""

    def make(target: Path) -> None:
        run(side, HERE / "probe.py", target, model, "--draft", checkpoints() / "trained")

    with np.load(answer(side, f"{name}.npz", make, folder)) as file:
        return dict(file)


def assert_same_numbers(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], scale: float = 1) -> None:
    """Logits agree to rounding; tokens agree until the best two lie closer than that."""
    rounding = ROUNDING * scale
    for name in ("teacher", "pieces", "trimmed"):
        np.testing.assert_allclose(ours[name], theirs[name], atol=rounding, rtol=0, err_msg=name)
    for tokens, scores in {
        "greedy": "scores",
        "resumed": "resumed_scores",
        "quantized_cache": "quantized_cache_scores",
        "speculative": "speculative_scores",
    }.items():
        # A key that rounds to the other side of a step of an 8-bit cache moves a score by about a step.
        allowed = rounding * (400 if tokens == "quantized_cache" else 1)
        for step, (mine, its) in enumerate(zip(ours[scores], theirs[scores], strict=True)):
            np.testing.assert_allclose(mine, its, atol=allowed, rtol=0, err_msg=f"{scores} {step}")
            best = np.sort(its)[-2:]
            if best[1] - best[0] <= 2 * allowed:
                break
            assert ours[tokens][step] == theirs[tokens][step], (tokens, step)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("trained", "affine"),
        *(
            pytest.param(model, kind, marks=long)
            for model in ("trained", "qwen", "experts")
            for kind in QUANTIZATIONS
            if (model, kind) != ("trained", "affine")
        ),
    ],
)
def test_convert(model: str, kind: str, tmp_path: Path) -> None:
    """Converted checkpoints are the wheel's, byte by byte; only the order of the tensors is not fixed."""
    ours, theirs = convert("mica", model, kind, tmp_path), convert("mlx", model, kind, tmp_path)
    names = sorted(file.name for file in theirs.iterdir())
    assert names == sorted(file.name for file in ours.iterdir())
    for name in names:
        if name.endswith(".safetensors"):
            assert entries(ours / name) == entries(theirs / name)
        elif name != "README.md":
            assert (ours / name).read_bytes() == (theirs / name).read_bytes(), name


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("trained", "affine"),
        *(pytest.param("trained", kind, marks=long) for kind in KINDS if kind != "affine"),
        *(pytest.param(m, k, marks=long) for m in ("qwen", "experts") for k in KINDS),
    ],
)
def test_numbers(model: str, kind: str, tmp_path: Path) -> None:
    """Logits and choices of all ways to generate are the wheel's, to rounding."""
    source = checkpoints() / model if kind == "none" else convert("mlx", model, kind, tmp_path)
    name = f"numbers-{model}-{kind}"
    ours = probe("mica", source, name, tmp_path)
    assert_same_numbers(ours, probe("mlx", source, name, tmp_path))
    if model == "trained":
        # A draft changes the speed, a saved cache the start, never the text.
        assert ours["speculative"].tolist() == ours["greedy"].tolist() == ours["resumed"].tolist()


@long
@pytest.mark.parametrize("model", ["trained", "qwen", "experts"])
def test_halves(model: str, tmp_path: Path) -> None:
    """In bfloat16 mica is as close to its float32 numbers as the format allows.

    The wheel is no measure here: its order of roundings differs, and on a CPU it has no experts in bfloat16.
    """
    half = probe("mica", convert("mica", model, "half", tmp_path), f"half-{model}", tmp_path)
    single = probe("mica", checkpoints() / model, f"single-{model}", tmp_path)
    reach = np.abs(single["teacher"]).max()
    # Choices of experts may flip where two lie close, so most tokens are asked, not all.
    close = np.abs(half["teacher"] - single["teacher"]).max(axis=-1) < 0.03 * reach
    assert close.mean() >= (0.75 if model == "experts" else 1), close


COMMANDS = {
    "greedy": "generate --temp 0 --ignore-chat-template --max-tokens 24 --prompt The",
    "sampled": "generate --temp 0.8 --top-p 0.95 --min-p 0.01 --seed 5 --max-tokens 24 --prompt The",
    "speculative": "generate --draft-model {trained} --temp 0.5 --seed 2 --max-tokens 24 --prompt The",
    "small-cache": "generate --temp 0 --max-kv-size 16 --max-tokens 40 --prompt The",
    "quantized-cache": "generate --temp 0 --kv-bits 8 --kv-group-size 32 --quantized-kv-start 0 --prompt The",
}


def text_of(printed: str) -> str:
    """What was generated: all between the two rules."""
    return printed.split("==========")[1].strip()


@pytest.mark.parametrize("name", [n if n == "greedy" else pytest.param(n, marks=long) for n in COMMANDS])
def test_generate(name: str, tmp_path: Path) -> None:
    """The command prints the wheel's text, also when it samples: the random numbers are the same."""
    trained = checkpoints() / "trained"
    words = COMMANDS[name].format(trained=trained).split()

    def ask(side: str) -> str:
        def make(target: Path) -> None:
            target.write_text(run(side, "-m", "mlx_lm", words[0], "--model", trained, *words[1:]))

        return text_of(answer(side, f"generate-{name}.txt", make, tmp_path).read_text())

    ours = ask("mica")
    assert ours and ours == ask("mlx")


@long
def test_cache_prompt(tmp_path: Path) -> None:
    """A prompt cache from either side is resumed by either side."""
    trained = checkpoints() / "trained"
    texts = {}
    for maker in ("mica", "mlx"):
        file = tmp_path / f"{maker}.safetensors"
        run(maker, "-m", "mlx_lm", "cache_prompt", "--model", trained, "--prompt", "The red fox hears the",
            "--prompt-cache-file", file)  # fmt: skip
        for reader in ("mica", "mlx"):
            texts[maker, reader] = text_of(
                run(
                    reader,
                    "-m",
                    "mlx_lm",
                    "generate",
                    "--prompt-cache-file",
                    file,
                    "--prompt",
                    " grey owl",
                    "--max-tokens",
                    "16",
                    "--temp",
                    "0",
                )  # fmt: skip
            )
    assert len(set(texts.values())) == 1, texts


# Rates at which training is no chaos: changing the weights by 1e-6 of themselves moves no loss by over 2e-4.
TUNINGS = {
    ("trained", "lora"): "1e-4",
    ("llama", "full"): "1e-3",
    ("qwen", "dora"): "5e-4",
    ("experts", "lora"): "2e-4",
}


def tune(side: str, model: str, kind: str, folder: Path) -> Path:
    """Losses and adapters of a short fine-tuning."""
    source = checkpoints()

    def make(target: Path) -> None:
        target.mkdir()
        run(side, HERE / "tuning.py", target / "losses.json", target, source / model, source / "data", kind,
            TUNINGS[model, kind], "20")  # fmt: skip

    return answer(side, f"tuned-{model}-{kind}", make, folder)


@long
@pytest.mark.parametrize(("model", "kind"), TUNINGS)
def test_lora(model: str, kind: str, tmp_path: Path) -> None:
    """The loss of every step is the wheel's to 1e-3."""
    files = [tune(side, model, kind, tmp_path) / "losses.json" for side in ("mica", "mlx")]
    losses = [json.loads(file.read_text()) for file in files]
    assert len(losses[0]) == 20
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-3)


@long
@pytest.mark.parametrize("options", [[], ["--dequantize"]])
def test_fuse(options: list[str], tmp_path: Path) -> None:
    """Adapters are fused into a quantized checkpoint as by the wheel, and the result generates."""
    source = convert("mlx", "trained", "affine", tmp_path)
    data = checkpoints() / "data"
    adapters = tmp_path / "adapters"
    words = "--train --iters 4 --num-layers 2 --batch-size 4 --max-seq-length 64 --val-batches 1"
    where = ["--model", source, "--data", data, "--adapter-path", adapters]
    run("mica", "-m", "mlx_lm", "lora", *where, *words.split())
    weights = []
    for side in ("mica", "mlx"):
        target = tmp_path / side
        names = ["--model", source, "--adapter-path", adapters, "--save-path", target]
        run(side, "-m", "mlx_lm", "fuse", *names, *options)
        weights.append(tensors(target / "model.safetensors"))
    assert weights[0].keys() == weights[1].keys()
    for name, ours in weights[0].items():
        theirs = weights[1][name]
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, name
        if ours.dtype == np.uint32:
            # A value in the middle of two steps may fall to either, by the last bit of the sum.
            assert (ours != theirs).mean() < 1e-2, name
        else:
            np.testing.assert_allclose(ours, theirs, atol=1e-5, err_msg=name)
    assert text_of(run("mica", "-m", "mlx_lm", "generate", "--model", tmp_path / "mica", "--prompt", "The"))


@long
@needs("clients-more")
def test_perplexity() -> None:
    """The command's figure is the wheel's."""
    source = checkpoints()
    words = ["--model", source / "trained", "--data-path", source / "data"]
    words += ["--num-samples", "8", "--sequence-length", "64"]
    printed = [run(side, "-m", "mlx_lm", "perplexity", *words) for side in ("mica", "mlx")]
    found = [re.findall(r"Perplexity: (\S+)", text) for text in printed]
    assert found[0] and found[0] == found[1]


@long
def test_benchmark() -> None:
    """The command runs."""
    trained = checkpoints() / "trained"
    printed = run("mica", "-m", "mlx_lm", "benchmark", "--model", trained, "-p", "64", "-g", "8")
    assert "generation_tps" in printed


@long
def test_lora_resumed(tmp_path: Path) -> None:
    """Training a quantized checkpoint goes on from saved adapters, with accumulated gradients."""
    source, data = convert("mlx", "trained", "affine", tmp_path), checkpoints() / "data"
    where = ["--model", source, "--data", data, "--adapter-path", tmp_path / "adapters"]
    words = "--train --iters 4 --num-layers 1 --batch-size 4 --val-batches 1 --grad-checkpoint"
    run("mica", "-m", "mlx_lm", "lora", *where, *words.split())
    words += " --grad-accumulation-steps 2 --optimizer muon --test --test-batches 2"
    saved = tmp_path / "adapters" / "adapters.safetensors"
    printed = run("mica", "-m", "mlx_lm", "lora", *where, *words.split(), "--resume-adapter-file", saved)
    assert float(re.findall(r"Test loss (\S+),", printed)[0]) < 0.6
    generate = ["generate", "--model", source, "--adapter-path", tmp_path / "adapters", "--prompt", "The"]
    assert text_of(run("mica", "-m", "mlx_lm", *generate))


@long
@needs("clients-more")
def test_distilled_quantization(tmp_path: Path) -> None:
    """mlx_lm.dwq tunes the scales of a quantized checkpoint towards the original."""
    source, data = checkpoints() / "trained", checkpoints() / "data"
    where = ["--model", source, "--quantized-model", convert("mlx", "trained", "affine", tmp_path)]
    where += ["--mlx-path", tmp_path / "tuned", "--data-path", data]
    words = "--num-samples 32 --max-seq-length 64 --batch-size 4"
    run("mica", "-m", "mlx_lm", "dwq", *where, *words.split(), HOME=str(tmp_path))
    assert text_of(run("mica", "-m", "mlx_lm", "generate", "--model", tmp_path / "tuned", "--prompt", "The"))
