"""A 4-bit Llama-style model of 100 million parameters: tokens one by one, a prompt, and LoRA training.

12 layers of 768, 12 heads over 4 of keys and values, SwiGLU of 2048, vocabulary 32000, bfloat16, affine codes
in groups of 64, embedding and head shared. Random weights; written with what programs for MLX use.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import partial
from typing import Any

from registry import FIGURES, AtMost, System, work

LAYERS, DIM, HEADS, KV_HEADS, HIDDEN, VOCABULARY = 12, 768, 12, 4, 2048, 32000
PROMPT, TOKENS, TRAINED = 512, 128, 128
CACHE_STEP = 256

Run = Callable[[], object]


class Cache:
    """Keys and values so far, in buffers that grow by steps."""

    def __init__(self) -> None:
        self.keys: Any = None
        self.values: Any = None
        self.offset = 0

    def update(self, keys: Any, values: Any) -> tuple[Any, Any]:
        """Append, and return all that is there."""
        import mlx.core as mx

        first, self.offset = self.offset, self.offset + keys.shape[2]
        if self.keys is None or self.offset > self.keys.shape[2]:
            batch, heads, length, size = keys.shape
            more = (length + CACHE_STEP - 1) // CACHE_STEP * CACHE_STEP
            room = mx.zeros((batch, heads, more, size), keys.dtype)
            if self.keys is None:
                self.keys, self.values = room, room
            else:
                self.keys = mx.concatenate([self.keys[..., :first, :], room], axis=2)
                self.values = mx.concatenate([self.values[..., :first, :], room], axis=2)
        self.keys[..., first : self.offset, :] = keys
        self.values[..., first : self.offset, :] = values
        return self.keys[..., : self.offset, :], self.values[..., : self.offset, :]


def make_model() -> Any:
    """The quantized model."""
    import mlx.core as mx
    import mlx.nn as nn

    size = DIM // HEADS

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q_proj = nn.Linear(DIM, DIM, bias=False)
            self.k_proj = nn.Linear(DIM, KV_HEADS * size, bias=False)
            self.v_proj = nn.Linear(DIM, KV_HEADS * size, bias=False)
            self.o_proj = nn.Linear(DIM, DIM, bias=False)
            self.rope = nn.RoPE(size, traditional=False, base=10000)

        def __call__(self, x: mx.array, cache: Cache | None) -> mx.array:
            batch, length, _ = x.shape
            q = self.q_proj(x).reshape(batch, length, HEADS, -1).transpose(0, 2, 1, 3)
            k = self.k_proj(x).reshape(batch, length, KV_HEADS, -1).transpose(0, 2, 1, 3)
            v = self.v_proj(x).reshape(batch, length, KV_HEADS, -1).transpose(0, 2, 1, 3)
            if cache is None:
                q, k = self.rope(q), self.rope(k)
            else:
                q, k = self.rope(q, offset=cache.offset), self.rope(k, offset=cache.offset)
                k, v = cache.update(k, v)
            mask = "causal" if length > 1 else None
            mixed = mx.fast.scaled_dot_product_attention(q, k, v, scale=size**-0.5, mask=mask)
            return self.o_proj(mixed.transpose(0, 2, 1, 3).reshape(batch, length, -1))

    class MLP(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate_proj = nn.Linear(DIM, HIDDEN, bias=False)
            self.down_proj = nn.Linear(HIDDEN, DIM, bias=False)
            self.up_proj = nn.Linear(DIM, HIDDEN, bias=False)

        def __call__(self, x: mx.array) -> mx.array:
            return self.down_proj(nn.silu(self.gate_proj(x)) * self.up_proj(x))

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.self_attn, self.mlp = Attention(), MLP()
            self.input_layernorm = nn.RMSNorm(DIM, eps=1e-5)
            self.post_attention_layernorm = nn.RMSNorm(DIM, eps=1e-5)

        def __call__(self, x: mx.array, cache: Cache | None) -> mx.array:
            x = x + self.self_attn(self.input_layernorm(x), cache)
            return x + self.mlp(self.post_attention_layernorm(x))

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed_tokens = nn.Embedding(VOCABULARY, DIM)
            self.layers = [Block() for _ in range(LAYERS)]
            self.norm = nn.RMSNorm(DIM, eps=1e-5)

        def __call__(self, tokens: mx.array, caches: list[Cache] | None = None) -> mx.array:
            x = self.embed_tokens(tokens)
            for layer, cache in zip(self.layers, caches or [None] * LAYERS, strict=True):
                x = layer(x, cache)
            return self.embed_tokens.as_linear(self.norm(x))

    mx.random.seed(0)
    model = Model()
    model.set_dtype(mx.bfloat16)
    nn.quantize(model, group_size=64, bits=4)
    mx.eval(model.parameters())
    return model


def mlx_generate(tokens: int = TOKENS) -> Run:
    """Greedy tokens, the next asked for while the last is still being computed."""
    import mlx.core as mx

    model = make_model()
    prompt = mx.random.randint(0, VOCABULARY, (1, 16))
    mx.eval(prompt)

    def run() -> None:
        caches = [Cache() for _ in range(LAYERS)]
        token = mx.argmax(model(prompt, caches)[:, -1, :], axis=-1)
        mx.async_eval(token)
        for _ in range(tokens):
            following = mx.argmax(model(token[None], caches)[:, -1, :], axis=-1)
            mx.async_eval(following)
            token.item()
            token = following
        mx.eval(token)

    return run


def mlx_prompt() -> Run:
    """A prompt into empty caches, and the logits of its end."""
    import mlx.core as mx

    model = make_model()
    prompt = mx.random.randint(0, VOCABULARY, (1, PROMPT))
    mx.eval(prompt)

    def run() -> None:
        caches = [Cache() for _ in range(LAYERS)]
        mx.eval(model(prompt, caches)[:, -1, :], [cache.keys for cache in caches])

    return run


def mlx_lora() -> Run:
    """A step of Adam on rank-8 updates of the queries' and values' matrices."""
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    class LoRALinear(nn.Module):
        def __init__(self, linear: nn.Module, outputs: int) -> None:
            super().__init__()
            self.linear = linear
            self.lora_a = mx.random.uniform(-(DIM**-0.5), DIM**-0.5, (DIM, 8))
            self.lora_b = mx.zeros((8, outputs))

        def __call__(self, x: mx.array) -> mx.array:
            update = (x @ self.lora_a) @ self.lora_b
            return self.linear(x) + (20.0 * update).astype(x.dtype)

    model = make_model()
    model.freeze()
    for layer in model.layers:
        attention = layer.self_attn
        attention.q_proj = LoRALinear(attention.q_proj, DIM)
        attention.v_proj = LoRALinear(attention.v_proj, DIM * KV_HEADS // HEADS)
    optimizer = optim.Adam(1e-5)
    tokens = mx.random.randint(0, VOCABULARY, (1, TRAINED + 1))
    mx.eval(model.parameters(), tokens)

    def loss(model: nn.Module, tokens: mx.array) -> mx.array:
        logits = model(tokens[:, :-1])
        return nn.losses.cross_entropy(logits, tokens[:, 1:], reduction="mean")

    loss_and_grad = nn.value_and_grad(model, loss)

    def step() -> None:
        value, grads = loss_and_grad(model, tokens)
        optimizer.update(model, grads)
        del grads  # their memory is free for the update
        mx.eval(value, model.parameters(), optimizer.state)

    return step


def peak_memory(call: str, system: System) -> float:
    """Megabytes that a process holds at most while it does one of these works once."""
    source = (
        "import resource, sys; sys.path[:0] = sys.argv[1:3]; import generation; "
        f"generation.{call}(); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    here = __file__.rpartition("/")[0]
    command = [*system.program, "-c", source, here, here + "/.."]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ValueError((done.stderr.strip().splitlines() or ["no message"])[-1])
    return float(done.stdout)


work(
    f"generate {TOKENS} tokens, 4-bit model of 100 M, each",
    AtMost(0.1, "mlx"),
    group=FIGURES,
    calls=TOKENS,
    mlx=mlx_generate,
)
work(f"prompt of {PROMPT} tokens, 4-bit model of 100 M", AtMost(1 / 30, "mlx"), group=FIGURES, mlx=mlx_prompt)
work(
    f"LoRA step of {TRAINED} tokens, 4-bit model of 100 M",
    AtMost(0.1, "mlx"),
    group=FIGURES,
    mlx=mlx_lora,
)
# The caches have the same size after 8 tokens as after all.
for title, call in (("generation", "mlx_generate(8)"), ("LoRA step", "mlx_lora()")):
    work(
        f"peak memory of {title}, 4-bit model of 100 M",
        AtMost(1.0, "mlx"),
        group=FIGURES,
        unit="MB",
        external={system: partial(peak_memory, call) for system in ("mica", "mlx")},
    )
