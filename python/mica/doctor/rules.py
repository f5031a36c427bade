"""The table of the doctor's rules: one row a mistake, shared by the static checker and the run-time doctor.

A row's pages, the reports' texts and ``--explain`` are derived from it (`docs/doctor`,
`tools/doctor_pages.py`).
"""

from __future__ import annotations

from typing import NamedTuple

ERROR, WARNING, INFORMATION = "error", "warning", "information"
NO_FIX, SAFE_FIX, UNSAFE_FIX = "none", "safe", "unsafe"


class Rule(NamedTuple):
    """One mistake: its number, name, how bad it is, what it is, what to do, and whether ``--fix`` does it."""

    id: str
    slug: str
    severity: str
    title: str
    cure: str
    fix: str

    @property
    def page(self) -> str:
        """Name of the rule's page in docs/doctor."""
        return f"{self.id}-{self.slug}.md"


_ROWS = (
    # -- evaluation
    ("MX101", "eval-in-loop", WARNING, "an array is read element by element, one evaluation each turn",
     "read all values at once before the loop: `values = y.tolist()`, or stay with array functions", NO_FIX),
    ("MX102", "eval-too-often", WARNING, "the graph of one training step is evaluated in pieces",
     "evaluate once, after the update: `mx.eval(model.parameters(), optimizer.state, loss)`", NO_FIX),
    ("MX103", "blocked-pipeline", WARNING,
     "a generation loop waits for each result before it queues the next",
     "queue the next step with `mx.async_eval`, then read the last one", NO_FIX),
    # -- types
    ("MX201", "scalar-array-promotes", WARNING,
     "a 0-d float32 array turns a half precision array into float32",
     "use the Python number, or give the dtype: `mx.array(2.0, x.dtype)`", UNSAFE_FIX),
    ("MX202", "default-dtype-promotes", WARNING, "an array of the default float32 meets half precision",
     "give the dtype where the array is made: `mx.zeros(shape, dtype=x.dtype)`", UNSAFE_FIX),
    ("MX203", "mixed-half", WARNING, "float16 meets bfloat16: the result is float32",
     "cast one side: `a.astype(b.dtype)`", NO_FIX),
    ("MX204", "upcast-around-norm", WARNING, "casts around a fast norm, which accumulates in float32 already",
     "leave out both casts", SAFE_FIX),
    ("MX205", "upcast-around-softmax", WARNING, "casts around softmax",
     "leave out both casts and say `precise=True`", SAFE_FIX),
    ("MX206", "float64", ERROR, "float64 works on CPU streams only",
     "use float32, or run it in `with mx.stream(mx.cpu):`", UNSAFE_FIX),
    # -- compilation
    ("MX301", "eval-in-compile", ERROR, "an array is evaluated inside a compiled function",
     "return the array and read it outside; choose with `mx.where` instead of `if`", NO_FIX),
    ("MX302", "retrace-on-scalar", WARNING, "a compiled function is traced anew on each turn",
     "compile once outside the loop; pass what changes as an array", NO_FIX),
    ("MX303", "captured-graph", WARNING, "a compiled function captures an array that is not evaluated yet",
     "evaluate it first, pass it as an argument, or list it in `inputs=`", NO_FIX),
    ("MX304", "side-effect-in-compile", WARNING,
     "a compiled function changes something outside, while tracing only",
     "return it, or declare it: `mx.compile(f, inputs=state, outputs=state)`", NO_FIX),
    # -- memory
    ("MX401", "held-temporaries", WARNING,
     "gradients are still bound to a name while the update is evaluated",
     "move the step into a function that returns the loss, or `del grads` before `mx.eval`", NO_FIX),
    ("MX402", "eval-before-cast", WARNING, "loaded weights are evaluated, then cast",
     "cast first, then evaluate: the originals are never in memory", NO_FIX),
    ("MX403", "load-from-handle", WARNING, "weights are loaded from an open file",
     "give `mx.load` the path, so that only what is used is read", SAFE_FIX),
    ("MX404", "growing-cache", INFORMATION,
     "each turn evaluates arrays of a new size, and the cache keeps all sizes",
     "pad to a few sizes, or bound the cache with `mx.set_cache_limit`", NO_FIX),
    # -- habits
    ("MX501", "print-in-forward", WARNING, "an array's values are printed or formatted in a forward pass",
     "return the value and print it outside, or print shape and dtype only", NO_FIX),
    ("MX502", "backward-call", ERROR, "arrays have no backward()",
     "differentiate a function: `loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)`", UNSAFE_FIX),
    ("MX503", "expects-inplace", WARNING,
     "an array is filled element by element, or a copy of its part is written",
     "build it with array functions or a list (`mx.stack`); write `x[i, j] = v` in one index", NO_FIX),
    ("MX504", "device-move", ERROR, "arrays and modules do not move between devices",
     "leave the call out; choose a device with `stream=` or `mx.set_default_device`", SAFE_FIX),
    ("MX505", "numpy-in-graph", WARNING,
     "a NumPy function leaves the graph: values are copied, gradients lost",
     "use the function of the same name in mx", NO_FIX),
    ("MX506", "removed-argument", ERROR, "the argument does not exist any more",
     "leave out `communication_type`; say `fsdp_group` for `group`", SAFE_FIX),
    # -- indexing
    ("MX601", "fancy-gather", WARNING, "one element of each row is gathered by an arange or a loop",
     "say `mx.take_along_axis(x, indices[:, None], axis=1)`", NO_FIX),
    ("MX602", "concatenated-copies", WARNING, "copies of one array are concatenated",
     "say `mx.tile`", SAFE_FIX),
    # -- matrix products
    ("MX701", "transposed-side", INFORMATION,
     "a vector meets a matrix on the side that is read in the slow order",
     "store the matrix transposed: `x @ W.T` and `W @ x` read rows", NO_FIX),
    ("MX702", "unfused-bias", INFORMATION, "a bias is added to a matrix product in a second pass",
     "say `mx.addmm(b, x, W)`", UNSAFE_FIX),
    # -- quantized layers
    ("MX801", "qq-eval-training", ERROR, "gradients of a QQLinear whose weights are quantized",
     "call `model.train()` before differentiating", NO_FIX),
    ("MX802", "qq-needless", INFORMATION, "a QQLinear that is never trained",
     "use `nn.QuantizedLinear`", NO_FIX),
    # -- values: seen at run time only
    ("MX901", "first-nonfinite", ERROR, "the first NaN or infinity of a run",
     "look at the operands' ranges: clip them, add an epsilon, or subtract the maximum", NO_FIX),
)  # fmt: skip

RULES: dict[str, Rule] = {row[0]: Rule(*row) for row in _ROWS}


def selected(select: list[str], ignore: list[str]) -> set[str]:
    """Rule ids that prefixes choose; the longer prefix wins, as ignoring does between equals.

    Args:
        select: prefixes such as ``MX1`` or ``MX204``, slugs, or ``ALL``; empty chooses all.
        ignore: likewise, what is left out.

    Raises:
        ValueError: a prefix matches no rule.
    """

    def weight(words: list[str], rule: Rule) -> int:
        best = -1
        for word in words:
            if word == "ALL":
                best = max(best, 0)
            elif rule.id.startswith(word.upper()) or word == rule.slug:
                best = max(best, len(rule.id) if word == rule.slug else len(word))
        return best

    for word in select + ignore:
        if word != "ALL" and all(weight([word], rule) < 0 for rule in RULES.values()):
            raise ValueError(f"no rule is called {word!r}")
    chosen = select or ["ALL"]
    return {r.id for r in RULES.values() if weight(chosen, r) > weight(ignore, r)}
