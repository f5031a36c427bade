"""Prose of the rules on evaluation, types and compilation: what each does, why it is bad, an example,
and what to use."""

PROSE = {
    "MX101": (
        "Finds arrays whose elements are read one by one in a loop or comprehension: `item()`, "
        "`float()`, a truth test, "
        "printing, `np.array`, or `mx.eval` on what was indexed by the loop.",
        "Each turn builds a small graph, schedules it and waits. Reading 1,000 values this way takes "
        "1,000 evaluations "
        "where one would do. The one evaluation of a training or sampling step is right and is not reported.",
        """y = mx.random.normal((1000,))
total = 0.0
for v in y:
    total += v.item()
""",
        """y = mx.random.normal((1000,))
total = sum(y.tolist())
""",
    ),
    "MX102": (
        "Finds steps that evaluate the loss or the gradients between the gradient call and the "
        "optimizer's update, or "
        "evaluate twice after it.",
        "The graph of the step is cut: the first evaluation runs the forward and backward pass, the "
        "second the update, "
        "and nothing can be fused or reused across the cut.",
        """model = nn.Linear(4, 1)
optimizer = optim.SGD(0.1)
loss_and_grad = nn.value_and_grad(model, lambda m, x: m(x).sum())

def step(x):
    loss, grads = loss_and_grad(model, x)
    mx.eval(loss)
    optimizer.update(model, grads)
    return loss

mx.eval(step(mx.ones((2, 4))), model.parameters(), optimizer.state)
""",
        """model = nn.Linear(4, 1)
optimizer = optim.SGD(0.1)
loss_and_grad = nn.value_and_grad(model, lambda m, x: m(x).sum())

def step(x):
    loss, grads = loss_and_grad(model, x)
    optimizer.update(model, grads)
    return loss

loss = step(mx.ones((2, 4)))
mx.eval(loss, model.parameters(), optimizer.state)
""",
    ),
    "MX103": (
        "Finds generation loops that feed a model with its last result and wait for that result on "
        "each turn, without "
        "`async_eval`; and waits for a value that was queued just before.",
        "While Python waits, nothing is queued; while Python builds the next graph, nothing runs. "
        "Queueing the next "
        "step before reading the last keeps both busy.",
        """def generate(model: nn.Module, y: mx.array):
    while True:
        y = mx.argmax(model(y[None])[:, -1], axis=-1)
        yield y.item()
""",
        """def generate(model: nn.Module, y: mx.array):
    y = mx.argmax(model(y[None])[:, -1], axis=-1)
    mx.async_eval(y)
    while True:
        following = mx.argmax(model(y[None])[:, -1], axis=-1)
        mx.async_eval(following)
        yield y.item()
        y = following
""",
    ),
    "MX201": (
        "Finds a 0-d array made of a Python float without a dtype that meets an array known to be "
        "float16 or bfloat16.",
        "`mx.array(2.0)` is a float32 array, and arrays promote by type whatever their shape: the "
        "result is float32, "
        "and so is everything computed from it, at twice the memory. A Python number takes the array's type.",
        """x = mx.ones((4,), dtype=mx.float16)
y = x * mx.array(2.0)
""",
        """x = mx.ones((4,), dtype=mx.float16)
y = x * 2.0
""",
    ),
    "MX202": (
        "Finds arrays created with the default float32 (`zeros`, `ones`, `full`, `linspace`, "
        "`random.*`, float `arange`, "
        "lists of floats) that meet an array known to be float16 or bfloat16.",
        "The result is float32, silently, and so is everything computed from it.",
        """x = mx.ones((4,), dtype=mx.bfloat16)
y = x + mx.random.normal((4,))
""",
        """x = mx.ones((4,), dtype=mx.bfloat16)
y = x + mx.random.normal((4,), dtype=x.dtype)
""",
    ),
    "MX203": (
        "Finds operations of a float16 with a bfloat16 array.",
        "Neither type holds the other, so the result is float32: more memory than either.",
        """a = mx.ones((4,), dtype=mx.float16)
b = mx.ones((4,), dtype=mx.bfloat16)
c = a + b
""",
        """a = mx.ones((4,), dtype=mx.float16)
b = mx.ones((4,), dtype=mx.bfloat16)
c = a.astype(b.dtype) + b
""",
    ),
    "MX204": (
        "Finds `rms_norm` and `layer_norm` (functions and layers) of an operand that was cast to "
        "float32, with the result "
        "cast back to half precision. The fix removes the first cast; the second stays, as it is "
        "free when the norm's "
        "weight has the operand's type and needed when it has not.",
        "The fast norms accumulate in float32 already. The casts add two passes over memory.",
        """def norm(x, weight):
    return mx.fast.rms_norm(x.astype(mx.float32), weight, 1e-5).astype(x.dtype)
""",
        """def norm(x, weight):
    return mx.fast.rms_norm(x, weight, 1e-5)
""",
    ),
    "MX205": (
        "Finds softmax of an operand that was cast to float32, with the result cast back to half precision.",
        "`precise=True` computes in float32 inside the one kernel. The casts add two passes over memory.",
        """def attend(scores, values):
    return mx.softmax(scores.astype(mx.float32), axis=-1).astype(scores.dtype) @ values
""",
        """def attend(scores, values):
    return mx.softmax(scores, axis=-1, precise=True) @ values
""",
    ),
    "MX206": (
        "Finds `mx.float64` used as the type of an array outside a CPU stream.",
        "No GPU stream computes in float64: the program stops with an error there. On the CPU it is "
        "twice the memory "
        "and half the speed of float32.",
        """x = mx.zeros((4,), dtype=mx.float64)
""",
        """with mx.stream(mx.cpu):
    x = mx.zeros((4,), dtype=mx.float64)
""",
    ),
    "MX301": (
        "Finds evaluation (`item`, `tolist`, `float`, truth tests, `mx.eval`, printing, NumPy) that "
        "can be reached from a "
        "compiled function.",
        "While a compiled function is traced its arrays have no values: it stops with a `ValueError`.",
        """@mx.compile
def f(x):
    if mx.any(x > 0):
        return x
    return -x
""",
        """@mx.compile
def f(x):
    return mx.where(mx.any(x > 0), x, -x)
""",
    ),
    "MX302": (
        "Finds `mx.compile` called on each turn of a loop or forward pass, and compiled functions "
        "that are called in a "
        "loop with a changing number that decides an axis, a shape, a slice or a branch.",
        "Each call traces the function anew, which costs more than running it uncompiled. mica keeps "
        "one trace for "
        "numbers that are used in arithmetic only.",
        """for i in range(100):
    f = mx.compile(lambda x: x * 2)
    y = f(mx.ones((3,)))
""",
        """f = mx.compile(lambda x: x * 2)
for i in range(100):
    y = f(mx.ones((3,)))
""",
    ),
    "MX303": (
        "Finds compiled functions that use an array from outside which was computed but not evaluated.",
        "Older versions of the reference compute its whole history again in each call, some refuse it with a "
        "`ValueError`; mica makes it an input of the graph.",
        """a = mx.random.normal((64, 64))
w = a @ a.T

@mx.compile
def f(x):
    return x @ w
""",
        """a = mx.random.normal((64, 64))
w = a @ a.T
mx.eval(w)

@mx.compile
def f(x):
    return x @ w
""",
    ),
    "MX304": (
        "Finds compiled functions that change a list, dictionary, attribute or global name, update a "
        "model or optimizer, "
        "or draw random numbers, without saying so in `inputs=` and `outputs=`.",
        "The change happens once, while tracing, and what it stores are placeholders without values. "
        "Random numbers are "
        "the same in each call.",
        """history = []

@mx.compile
def f(x):
    y = mx.exp(x)
    history.append(y)
    return y
""",
        """history = []

@mx.compile
def f(x):
    return mx.exp(x)

history.append(f(mx.ones((3,))))
""",
    ),
}
