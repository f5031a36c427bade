"""Recurrent layers: a Python loop over the steps of a sequence."""

from __future__ import annotations

import math
from collections.abc import Callable

import mica.core as mx
from mica.nn.layers.activations import tanh
from mica.nn.layers.base import Module

__all__ = ["GRU", "LSTM", "RNN"]


def _draw(hidden_size: int, *shape: int) -> mx.array:
    scale = 1.0 / math.sqrt(hidden_size)
    return mx.random.uniform(low=-scale, high=scale, shape=shape)


class RNN(Module):
    r"""The Elman recurrence :math:`h_t = f(W_{xh} x_t + W_{hh} h_{t-1} + b)`.

    Args:
        input_size: size of an input.
        hidden_size: size of a hidden state.
        bias: whether there is a :math:`b`.
        nonlinearity: the function :math:`f`; None: tanh.

    Raises:
        ValueError: ``nonlinearity`` is not callable.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: Callable | None = None
    ) -> None:
        super().__init__()
        self.nonlinearity = nonlinearity or tanh
        if not callable(self.nonlinearity):
            raise ValueError(
                f"[RNN] nonlinearity must be callable, but it is a {type(nonlinearity).__name__}."
            )
        self.hidden_size = hidden_size
        self.Wxh = _draw(hidden_size, hidden_size, input_size)
        self.Whh = _draw(hidden_size, hidden_size, hidden_size)
        self.bias = _draw(hidden_size, hidden_size) if bias else None

    def _extra_repr(self) -> str:
        return (
            f"input_dims={self.Wxh.shape[1]}, hidden_size={self.hidden_size}, "
            f"nonlinearity={self.nonlinearity}, bias={self.bias is not None}"
        )

    def __call__(self, x: mx.array, hidden: mx.array | None = None) -> mx.array:
        """Run over a sequence.

        Args:
            x: inputs, shape ``(..., length, input_size)``.
            hidden: the state before the first step, shape ``(..., hidden_size)``; None: zeros.

        Returns:
            The states after each step, shape ``(..., length, hidden_size)``.
        """
        x = x @ self.Wxh.T if self.bias is None else mx.addmm(self.bias, x, self.Wxh.T)
        recur = self.Whh.T
        steps = []
        for t in range(x.shape[-2]):
            total = x[..., t, :] if hidden is None else mx.addmm(x[..., t, :], hidden, recur)
            hidden = self.nonlinearity(total)
            steps.append(hidden)
        return mx.stack(steps, axis=-2)


class GRU(Module):
    r"""The gated recurrent unit.

    .. math::

        r_t &= \sigma(W_{xr} x_t + W_{hr} h_{t-1} + b_r) \\
        z_t &= \sigma(W_{xz} x_t + W_{hz} h_{t-1} + b_z) \\
        n_t &= \tanh(W_{xn} x_t + b_n + r_t (W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (1 - z_t) n_t + z_t h_{t-1}

    Args:
        input_size: size of an input.
        hidden_size: size of a hidden state.
        bias: whether there are biases.

    ``Wx``, ``Wh`` and ``b`` hold those of r, z and n one below the other.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.Wx = _draw(hidden_size, 3 * hidden_size, input_size)
        self.Wh = _draw(hidden_size, 3 * hidden_size, hidden_size)
        self.b = _draw(hidden_size, 3 * hidden_size) if bias else None
        self.bhn = _draw(hidden_size, hidden_size) if bias else None

    def _extra_repr(self) -> str:
        return f"input_dims={self.Wx.shape[1]}, hidden_size={self.hidden_size}, bias={self.b is not None}"

    def __call__(self, x: mx.array, hidden: mx.array | None = None) -> mx.array:
        """Run over a sequence.

        Args:
            x: inputs, shape ``(..., length, input_size)``.
            hidden: the state before the first step, shape ``(..., hidden_size)``; None: zeros.

        Returns:
            The states after each step, shape ``(..., length, hidden_size)``.
        """
        x = x @ self.Wx.T if self.b is None else mx.addmm(self.b, x, self.Wx.T)
        gates = 2 * self.hidden_size
        x_gates, x_new = x[..., :gates], x[..., gates:]
        recur = self.Wh.T
        steps = []
        for t in range(x.shape[-2]):
            gate, new = x_gates[..., t, :], x_new[..., t, :]
            if hidden is not None:
                h = hidden @ recur
                gate = gate + h[..., :gates]
                h_new = h[..., gates:]
                if self.bhn is not None:
                    h_new = h_new + self.bhn
            r, z = mx.split(mx.sigmoid(gate), 2, axis=-1)
            if hidden is not None:
                new = mx.tanh(new + r * h_new)
                hidden = (1 - z) * new + z * hidden
            else:
                if self.bhn is not None:
                    new = new + r * self.bhn
                hidden = (1 - z) * mx.tanh(new)
            steps.append(hidden)
        return mx.stack(steps, axis=-2)


class LSTM(Module):
    r"""The long short-term memory.

    .. math::

        i_t &= \sigma(W_{xi} x_t + W_{hi} h_{t-1} + b_i) \\
        f_t &= \sigma(W_{xf} x_t + W_{hf} h_{t-1} + b_f) \\
        g_t &= \tanh(W_{xg} x_t + W_{hg} h_{t-1} + b_g) \\
        o_t &= \sigma(W_{xo} x_t + W_{ho} h_{t-1} + b_o) \\
        c_t &= f_t c_{t-1} + i_t g_t \\
        h_t &= o_t \tanh(c_t)

    Args:
        input_size: size of an input.
        hidden_size: size of a hidden state and of a cell state.
        bias: whether there is a bias.

    ``Wx``, ``Wh`` and ``bias`` hold those of i, f, g and o one below the other.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.Wx = _draw(hidden_size, 4 * hidden_size, input_size)
        self.Wh = _draw(hidden_size, 4 * hidden_size, hidden_size)
        self.bias = _draw(hidden_size, 4 * hidden_size) if bias else None

    def _extra_repr(self) -> str:
        return f"input_dims={self.Wx.shape[1]}, hidden_size={self.hidden_size}, bias={self.bias is not None}"

    def __call__(
        self, x: mx.array, hidden: mx.array | None = None, cell: mx.array | None = None
    ) -> tuple[mx.array, mx.array]:
        """Run over a sequence.

        Args:
            x: inputs, shape ``(..., length, input_size)``.
            hidden: the hidden state before the first step, shape ``(..., hidden_size)``; None: zeros.
            cell: the cell state before the first step, of the same shape; None: zeros.

        Returns:
            The hidden and the cell states after each step, both of shape ``(..., length, hidden_size)``.
        """
        x = x @ self.Wx.T if self.bias is None else mx.addmm(self.bias, x, self.Wx.T)
        recur = self.Wh.T
        hidden_steps, cell_steps = [], []
        for t in range(x.shape[-2]):
            total = x[..., t, :] if hidden is None else mx.addmm(x[..., t, :], hidden, recur)
            i, f, g, o = mx.split(total, 4, axis=-1)
            new = mx.sigmoid(i) * mx.tanh(g)
            cell = new if cell is None else mx.sigmoid(f) * cell + new
            hidden = mx.sigmoid(o) * mx.tanh(cell)
            hidden_steps.append(hidden)
            cell_steps.append(cell)
        return mx.stack(hidden_steps, axis=-2), mx.stack(cell_steps, axis=-2)
