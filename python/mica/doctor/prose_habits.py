"""Prose of the rules on memory, habits, indexing, products and quantized layers."""

PROSE = {
    "MX401": (
        "Finds names that still hold a step's gradients while the updated parameters are evaluated.",
        "A buffer that a name holds cannot be reused or freed during the evaluation: the step needs "
        "the memory of all "
        "gradients more than it has to.",
        """model = nn.Linear(4, 1)
optimizer = optim.SGD(0.1)
loss_and_grad = nn.value_and_grad(model, lambda m, x: m(x).sum())
for _ in range(10):
    loss, grads = loss_and_grad(model, mx.ones((2, 4)))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
""",
        """model = nn.Linear(4, 1)
optimizer = optim.SGD(0.1)
loss_and_grad = nn.value_and_grad(model, lambda m, x: m(x).sum())

def step(x):
    loss, grads = loss_and_grad(model, x)
    optimizer.update(model, grads)
    return loss

for _ in range(10):
    loss = step(mx.ones((2, 4)))
    mx.eval(loss, model.parameters(), optimizer.state)
""",
    ),
    "MX402": (
        "Finds loaded weights, of a file or a model, that are evaluated and then cast.",
        "Both the originals and the cast weights are in memory at once. Cast first, and the file's "
        "tensors are read and "
        "converted in one pass.",
        """weights = mx.load("model.safetensors")
mx.eval(weights)
weights = {k: v.astype(mx.float16) for k, v in weights.items()}
""",
        """weights = mx.load("model.safetensors")
weights = {k: v.astype(mx.float16) for k, v in weights.items()}
mx.eval(weights)
""",
    ),
    "MX403": (
        "Finds `mx.load` of an open file.",
        "A path can be mapped, so that only tensors that are used are read; of an open file the "
        "reference reads "
        "everything through Python.",
        """weights = mx.load(open("model.npz", "rb"))
""",
        """weights = mx.load("model.npz")
""",
    ),
    "MX404": (
        "Finds loops that evaluate arrays whose size changes with each turn, in files that never "
        "limit or clear the cache.",
        "Freed buffers are kept for reuse by size. With ever new sizes none fits, and the cache grows.",
        """for n in range(1, 1000):
    mx.eval(mx.exp(mx.zeros((n, 64))))
""",
        """mx.set_cache_limit(1 << 28)
for n in range(1, 1000):
    mx.eval(mx.exp(mx.zeros((n, 64))))
""",
    ),
    "MX501": (
        "Finds arrays that are printed, formatted or logged in the forward pass of a module, or in "
        "methods and helpers "
        "that it calls. Shapes and dtypes are fine.",
        "To print values they must be computed: the graph is cut in the middle of each forward pass, "
        "and the function "
        "cannot be compiled.",
        """class Net(nn.Module):
    def __call__(self, x):
        y = mx.tanh(x)
        print(y)
        return y
""",
        """class Net(nn.Module):
    def __call__(self, x):
        y = mx.tanh(x)
        print(y.shape, y.dtype)
        return y
""",
    ),
    "MX502": (
        "Finds `loss.backward()` on an array.",
        "Arrays record no gradients. Functions are differentiated: `nn.value_and_grad` for a model's "
        "parameters, "
        "`mx.grad` for arguments.",
        """def loss_fn(model, x):
    return model(x).sum()

def train(model: nn.Module, x):
    loss = loss_fn(model, x)
    loss.backward()
""",
        """def loss_fn(model, x):
    return model(x).sum()

def train(model: nn.Module, x):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, x)
    return loss, grads
""",
    ),
    "MX503": (
        "Finds arrays filled one element a turn, and writes into an indexed part that should reach "
        "the whole.",
        "Each write is a node that copies or updates the array; a part of an array is a new array, "
        "so that writing to it "
        "changes nothing else. mica updates in place where nobody else holds the array, which makes "
        "the loop linear, "
        "not free.",
        """x = mx.zeros((100,))
for i in range(100):
    x[i] = i * 2
""",
        """x = mx.arange(100) * 2
""",
    ),
    "MX504": (
        "Finds `.to(...)`, `.cuda()` and `.cpu()` on arrays and modules.",
        "Arrays live in memory that all devices share or that moves by itself; there is no such "
        "method. The device is "
        "chosen for operations, not for arrays.",
        """x = mx.ones((3,)).to("cuda")
""",
        """x = mx.ones((3,))
y = mx.exp(x, stream=mx.gpu)
""",
    ),
    "MX505": (
        "Finds NumPy functions and NumPy operands applied to arrays in loops, forward passes and "
        "functions that are "
        "differentiated.",
        "NumPy evaluates the array, copies its values, may change the type to float64, and returns "
        "something that has no "
        "gradient.",
        """class Net(nn.Module):
    def __call__(self, x):
        h = mx.abs(x)
        return np.log1p(h)
""",
        """class Net(nn.Module):
    def __call__(self, x):
        h = mx.abs(x)
        return mx.log1p(h)
""",
    ),
    "MX506": (
        "Finds arguments that newer versions dropped: `communication_type` of `average_gradients` and "
        "`fsdp_apply_gradients`, and `group` of the latter.",
        "The call raises a `TypeError`.",
        """grads = nn.average_gradients({}, communication_type=mx.float16)
""",
        """grads = nn.average_gradients({})
""",
    ),
    "MX601": (
        "Finds `x[mx.arange(n), indices]`, and loops that take one element of each row.",
        "The general gather computes an address from two index arrays for each element. "
        "`take_along_axis` needs one, and "
        "says what is meant.",
        """x = mx.random.normal((10, 5))
best = mx.argmax(x, axis=1)
y = x[mx.arange(10), best]
""",
        """x = mx.random.normal((10, 5))
best = mx.argmax(x, axis=1)
y = mx.take_along_axis(x, best[:, None], axis=1)[:, 0]
""",
    ),
    "MX602": (
        "Finds `concatenate` of several times the same array.",
        "`tile` says it, and needs no list of operands. (`repeat` repeats elements, `tile` the whole.)",
        """x = mx.random.normal((2, 3))
y = mx.concatenate([x] * 4)
""",
        """x = mx.random.normal((2, 3))
y = mx.tile(x, (4, 1))
""",
    ),
    "MX701": (
        "Finds products of a vector with a matrix on the side on which the matrix is read by columns.",
        "A product with one vector is bound by reading the matrix; by rows it is read in order. mica "
        "reads all layouts at "
        "the same speed, other engines do not.",
        """x = mx.random.normal((512,))
W = mx.random.normal((512, 512))
y = x @ W
""",
        """x = mx.random.normal((512,))
W = mx.random.normal((512, 512))
y = x @ W.T
""",
    ),
    "MX702": (
        "Finds a bias added to a matrix product.",
        "`addmm` adds while the product is written. mica does that for the sum as well, other "
        "engines do not.",
        """x, W, b = mx.ones((8, 4)), mx.ones((3, 4)), mx.zeros((3,))
y = x @ W.T + b
""",
        """x, W, b = mx.ones((8, 4)), mx.ones((3, 4)), mx.zeros((3,))
y = mx.addmm(b, x, W.T)
""",
    ),
    "MX801": (
        "Finds `nn.value_and_grad` over a module with `QQLinear` layers that was switched to evaluation.",
        "In evaluation the weights are quantized integers, which have no gradient.",
        """layer = nn.QQLinear(64, 64)
layer.eval()
loss, grads = nn.value_and_grad(layer, lambda x: layer(x).sum())(mx.ones((1, 64)))
""",
        """layer = nn.QQLinear(64, 64)
layer.train()
loss, grads = nn.value_and_grad(layer, lambda x: layer(x).sum())(mx.ones((1, 64)))
""",
    ),
    "MX802": (
        "Finds `QQLinear` layers that are switched to evaluation in programs that train nothing.",
        "`QQLinear` keeps what training needs. `QuantizedLinear` is the layer for inference only.",
        """layer = nn.QQLinear(64, 64)
layer.eval()
y = layer(mx.ones((1, 64)))
""",
        """layer = nn.QuantizedLinear(64, 64)
y = layer(mx.ones((1, 64)))
""",
    ),
    "MX901": (
        "Names the first operation of a run whose result holds a NaN or infinity, the line that "
        "built it, and the "
        "ranges of its operands. Seen at run time only: `mica doctor --nan program.py`.",
        "Every value computed from it is lost, and the loss that finally shows it is far from its cause.",
        """x = mx.zeros((4,))
y = mx.log(x)
""",
        """x = mx.zeros((4,))
y = mx.log(x + 1e-6)
""",
    ),
}
