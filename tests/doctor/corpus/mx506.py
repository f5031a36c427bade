# %% wrong: communication_type
g = nn.average_gradients({"w": mx.ones((2,))}, communication_type=mx.float16)  # expect: MX506
# %% wrong: imported from utils
from mlx.nn.utils import average_gradients
def sync(grads):
    return average_gradients(grads, communication_type=None)  # expect: MX506
# %% wrong: several lines
def sync(grads, group):
    return nn.average_gradients(
        grads,
        group=group,
        communication_type=mx.bfloat16,  # expect: MX506
    )
# %% wrong: module path
import mlx.nn.utils as U
import mlx.core as mx
f = lambda g: U.average_gradients(g, communication_type=mx.float16)  # expect: MX506
# %% wrong: whole package
import mlx.nn
import mlx.core
def f(g):
    return mlx.nn.average_gradients(g, all_reduce_size=1024, communication_type=mlx.core.float16)  # expect: MX506
# %% wrong: group of fsdp_apply_gradients
from mlx.nn.utils import fsdp_apply_gradients
def f(grads, params, opt, g):
    return fsdp_apply_gradients(grads, params, opt, group=g)  # expect: MX506
# %% wrong: group through nn.utils
def f(grads, params, opt, g):
    return nn.utils.fsdp_apply_gradients(grads, params, opt, group=g)  # expect: MX506
# %% wrong: communication_type of fsdp_apply_gradients
def f(grads, params, opt, g):
    return nn.utils.fsdp_apply_gradients(grads, params, opt, fsdp_group=g, communication_type=mx.float16)  # expect: MX506
# %% wrong: in a class
class T:
    def step(self, grads):
        grads = nn.average_gradients(grads, communication_type=mx.float16)  # expect: MX506
        return grads
# %% wrong: alias of the function
from mlx.nn import average_gradients as avg
r = avg({}, communication_type=None)  # expect: MX506
# %% wrong: assigned to a name
import mlx.nn as nn
reduce = nn.average_gradients
r = reduce({}, communication_type=None)  # expect: MX506
# %% wrong: partial
from functools import partial
import mlx.nn as nn
import mlx.core as mx
reduce = partial(nn.average_gradients, communication_type=mx.float16)  # expect: MX506
# %% right: no such argument
g = nn.average_gradients({"w": mx.ones((2,))})
# %% right: group of average_gradients
def f(grads, group):
    return nn.average_gradients(grads, group=group)
# %% right: group of fully_shard
def f(model, group):
    return nn.fully_shard(model, group=group)
# %% right: fsdp_group
def f(grads, params, opt, g):
    return nn.utils.fsdp_apply_gradients(grads, params, opt, fsdp_group=g)
# %% right: communication_stream
def f(grads):
    return nn.average_gradients(grads, communication_stream=mx.cpu)
# %% right: own function
def average_gradients(g, communication_type=None):
    return g
r = average_gradients({}, communication_type="a")
# %% right: other package
from mine import average_gradients
r = average_gradients({}, communication_type=1)
# %% right: keyword of something else
config = dict(communication_type="ring", group=3)
# %% right: torch
import torch.distributed as dist
def f(t):
    dist.all_reduce(t, group=None)
# %% right: clip with group
def f(g, group):
    return nn.utils.clip_grad_norm_sharded(g, 1.0, group=group)
# %% right: method of the same name
class A:
    def average_gradients(self, communication_type):
        return communication_type
A().average_gradients(communication_type=1)
# %% right: all_sum with group
def f(x, group):
    return mx.distributed.all_sum(x, group=group)
# %% right: positional
def f(g, group):
    return nn.average_gradients(g, group, 1024)
