"""Make small checkpoints in the Hugging Face format: random weights, and a tokenizer trained on the spot.

python checkpoints.py FOLDER [NAME ...]        the small ones of ARCHITECTURES if no name is given

Each architecture becomes FOLDER/NAME with config.json, model.safetensors and the tokenizer's files; FOLDER
/data gets train.jsonl, valid.jsonl and test.jsonl. The text is sentences of a small grammar, which a small
model learns in seconds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

ANIMALS = ["fox", "owl", "bear", "heron", "otter", "wolf", "mouse", "crow"]
COLOURS = ["red", "grey", "brown", "white", "silver", "black", "small", "old"]
VERBS = ["follows", "hears", "greets", "watches", "teaches", "avoids"]
PLACES = ["river", "forest", "meadow", "mountain", "harbour", "village"]
SPECIAL = ["<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|end|>"]
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

_COMMON: dict[str, Any] = {
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "intermediate_size": 256,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "max_position_embeddings": 512,
    "hidden_act": "silu",
    "torch_dtype": "float32",
    "bos_token_id": 1,
    "eos_token_id": 2,
}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "tie_word_embeddings": False},
    "draft": {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "tie_word_embeddings": True,
        "num_hidden_layers": 1,
        "intermediate_size": 128,
    },
    "qwen": {
        "model_type": "qwen3",
        "architectures": ["Qwen3ForCausalLM"],
        "tie_word_embeddings": True,
        "head_dim": 64,
        "attention_bias": False,
    },
    "experts": {
        "model_type": "qwen3_moe",
        "architectures": ["Qwen3MoeForCausalLM"],
        "tie_word_embeddings": False,
        "head_dim": 32,
        "num_experts": 8,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 64,
        "decoder_sparse_step": 1,
        "norm_topk_prob": True,
        "mlp_only_layers": [],
    },
    # 100 million weights, for measuring.
    "large": {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "tie_word_embeddings": True,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "intermediate_size": 2048,
        "num_attention_heads": 12,
        "num_key_value_heads": 4,
        "vocab_size": 32000,
    },
}
SMALL = ("llama", "draft", "qwen", "experts")


def sentences(count: int, seed: int) -> list[str]:
    """Sentences in which the last words follow from the first ones, so that a trained model is sure."""
    random = np.random.default_rng(seed)
    result = []
    for _ in range(count):
        animal, other = random.integers(len(ANIMALS)), random.integers(len(ANIMALS))
        verb, place = VERBS[(animal + other) % len(VERBS)], PLACES[(animal * other) % len(PLACES)]
        who, whom = (f"the {COLOURS[i]} {ANIMALS[i]}" for i in (animal, other))
        result.append(f"{who.capitalize()} {verb} {whom} near the {place}.")
    return result


def train_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Byte-level pairs, learned from the grammar."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sentences(2000, seed=1), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        chat_template=TEMPLATE,
    )
    fast.save_pretrained(folder)
    return fast


def weight_shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights of one architecture."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    head = config.get("head_dim", hidden // config["num_attention_heads"])
    queries, keys = head * config["num_attention_heads"], head * config["num_key_value_heads"]
    qwen = config["model_type"].startswith("qwen3")
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config["vocab_size"], hidden)}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        shapes[prefix + "input_layernorm.weight"] = (hidden,)
        shapes[prefix + "post_attention_layernorm.weight"] = (hidden,)
        shapes[prefix + "self_attn.q_proj.weight"] = (queries, hidden)
        shapes[prefix + "self_attn.k_proj.weight"] = (keys, hidden)
        shapes[prefix + "self_attn.v_proj.weight"] = (keys, hidden)
        shapes[prefix + "self_attn.o_proj.weight"] = (hidden, queries)
        if qwen:
            shapes[prefix + "self_attn.q_norm.weight"] = (head,)
            shapes[prefix + "self_attn.k_norm.weight"] = (head,)
        blocks = ["mlp."]
        if "num_experts" in config:
            shapes[prefix + "mlp.gate.weight"] = (config["num_experts"], hidden)
            blocks = [f"mlp.experts.{expert}." for expert in range(config["num_experts"])]
            inner = config["moe_intermediate_size"]
        for block in blocks:
            shapes[prefix + block + "gate_proj.weight"] = (inner, hidden)
            shapes[prefix + block + "up_proj.weight"] = (inner, hidden)
            shapes[prefix + block + "down_proj.weight"] = (hidden, inner)
    shapes["model.norm.weight"] = (hidden,)
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (config["vocab_size"], hidden)
    return shapes


def make(folder: Path, name: str) -> None:
    """One checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(folder)
    # Rounded up: quantized matrices come in groups.
    config = _COMMON | {"vocab_size": -(-len(tokenizer) // 64) * 64} | ARCHITECTURES[name]
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    random = np.random.default_rng(7)
    weights = {}
    for key, shape in weight_shapes(config).items():
        if len(shape) == 1:
            weights[key] = np.ones(shape, np.float32)
        else:
            scale = 0.5 if key.startswith("model.embed") else shape[-1] ** -0.5
            weights[key] = random.standard_normal(shape, np.float32) * np.float32(scale)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def make_data(folder: Path) -> None:
    """Text to train on and to measure with."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, count) in enumerate({"train": 800, "valid": 40, "test": 40}.items()):
        lines = sentences(count * 3, seed=seed + 10)
        texts = [" ".join(lines[i : i + 3]) for i in range(0, len(lines), 3)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for architecture in sys.argv[2:] or SMALL:
        make(target / architecture, architecture)
    make_data(target / "data")
