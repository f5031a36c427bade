"""All layers and activation functions."""

# ruff: noqa: F401

from mica.nn.layers.activations import *  # noqa: F403
from mica.nn.layers.base import Module
from mica.nn.layers.containers import Sequential
from mica.nn.layers.convolution import Conv1d, Conv2d, Conv3d
from mica.nn.layers.convolution_transpose import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from mica.nn.layers.distributed import (
    AllToShardedLinear,
    FullyShardedModule,
    QuantizedAllToShardedLinear,
    QuantizedShardedToAllLinear,
    ShardedToAllLinear,
    fully_shard,
)
from mica.nn.layers.dropout import Dropout, Dropout2d, Dropout3d
from mica.nn.layers.embedding import Embedding
from mica.nn.layers.linear import Bilinear, Identity, Linear
from mica.nn.layers.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from mica.nn.layers.pooling import AvgPool1d, AvgPool2d, AvgPool3d, MaxPool1d, MaxPool2d, MaxPool3d
from mica.nn.layers.positional_encoding import ALiBi, RoPE, SinusoidalPositionalEncoding
from mica.nn.layers.quantized import QQLinear, QuantizedEmbedding, QuantizedLinear, quantize
from mica.nn.layers.recurrent import GRU, LSTM, RNN
from mica.nn.layers.transformer import (
    MultiHeadAttention,
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)
from mica.nn.layers.upsample import Upsample
