"""All layers and activation functions."""

# Each name under its own again: re-exported, also to checkers that ask for it.
from mica.nn.layers.activations import *  # noqa: F403
from mica.nn.layers.base import Module as Module
from mica.nn.layers.containers import Sequential as Sequential
from mica.nn.layers.convolution import Conv1d as Conv1d, Conv2d as Conv2d, Conv3d as Conv3d
from mica.nn.layers.convolution_transpose import (
    ConvTranspose1d as ConvTranspose1d,
    ConvTranspose2d as ConvTranspose2d,
    ConvTranspose3d as ConvTranspose3d,
)
from mica.nn.layers.distributed import (
    AllToShardedLinear as AllToShardedLinear,
    FullyShardedModule as FullyShardedModule,
    QuantizedAllToShardedLinear as QuantizedAllToShardedLinear,
    QuantizedShardedToAllLinear as QuantizedShardedToAllLinear,
    ShardedToAllLinear as ShardedToAllLinear,
    fully_shard as fully_shard,
)
from mica.nn.layers.dropout import Dropout as Dropout, Dropout2d as Dropout2d, Dropout3d as Dropout3d
from mica.nn.layers.embedding import Embedding as Embedding
from mica.nn.layers.linear import Bilinear as Bilinear, Identity as Identity, Linear as Linear
from mica.nn.layers.normalization import (
    BatchNorm as BatchNorm,
    GroupNorm as GroupNorm,
    InstanceNorm as InstanceNorm,
    LayerNorm as LayerNorm,
    RMSNorm as RMSNorm,
)
from mica.nn.layers.pooling import (
    AvgPool1d as AvgPool1d,
    AvgPool2d as AvgPool2d,
    AvgPool3d as AvgPool3d,
    MaxPool1d as MaxPool1d,
    MaxPool2d as MaxPool2d,
    MaxPool3d as MaxPool3d,
)
from mica.nn.layers.positional_encoding import (
    ALiBi as ALiBi,
    RoPE as RoPE,
    SinusoidalPositionalEncoding as SinusoidalPositionalEncoding,
)
from mica.nn.layers.quantized import (
    QQLinear as QQLinear,
    QuantizedEmbedding as QuantizedEmbedding,
    QuantizedLinear as QuantizedLinear,
    quantize as quantize,
)
from mica.nn.layers.recurrent import GRU as GRU, LSTM as LSTM, RNN as RNN
from mica.nn.layers.transformer import (
    MultiHeadAttention as MultiHeadAttention,
    Transformer as Transformer,
    TransformerDecoder as TransformerDecoder,
    TransformerDecoderLayer as TransformerDecoderLayer,
    TransformerEncoder as TransformerEncoder,
    TransformerEncoderLayer as TransformerEncoderLayer,
)
from mica.nn.layers.upsample import Upsample as Upsample
