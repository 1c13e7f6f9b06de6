"""Layers of Keras and their gradients."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from op_cases.comparison import Case, Input, gradient

IMAGES = (Input(("batch", 7, 6, 2)),)
LINES = (Input(("batch", 9, 2)),)
VOL = (Input(("batch", 5,4,3, 2)),)
TOKENS = (Input(("batch", 6, 8)),)

class Layer:
    """A layer, made with fixed weights for each dtype where it is first called."""

    def __init__(self, kind: Any, *arguments: Any, **options: Any):
        self.make = lambda dtype: kind(*arguments, **options, dtype=dtype)
        self.made: dict[str, Any] = {}

    def __call__(self, *values: tf.Tensor) -> tf.Tensor:
        dtype = values[0].dtype.name
        if dtype not in self.made:
            with tf.init_scope():
                layer = self.make(dtype)
                layer.build(*(value.shape for value in values))
                generator = np.random.default_rng(0)
                for weight in layer.weights:
                    if "float" in weight.dtype:
                        weight.assign(generator.uniform(.1,1, weight.shape) * (1 if 'variance' in weight.path else np.where(generator.random(weight.shape)<.5,-1,1)))
                self.made[dtype] = layer
        return self.made[dtype](*values)

def _layer(op, grad_op, inputs, kind, *arguments, **options):
    layer = Layer(getattr(keras.layers, kind), *arguments, **options)
    name = " ".join([kind, *map(str, arguments), *(f"{k}={v}" for k, v in options.items())])
    return [Case(op, layer, inputs, name, eps=64), Case(grad_op, gradient(layer), inputs, f"gradient of {name}", eps=256)]

CASES = []
for padding in ("same","valid"):
    for window, strides in ((2,2),(3,2),((3,2),1)):
        for pool in ("AveragePooling2D","MaxPooling2D"):
            op = "AvgPool" if pool[0]=='A' else "MaxPool"
            CASES += _layer(op, op+"Grad", IMAGES, pool, window, strides, padding=padding)
    for pool in ("AveragePooling1D","MaxPooling1D"):
        op = "AvgPool" if pool[0]=='A' else "MaxPool"
        CASES += _layer(op, op+"Grad", LINES, pool, 3, 2, padding=padding)
    for pool in ("AveragePooling3D","MaxPooling3D"):
        op = "AvgPool3D" if pool[0]=='A' else "MaxPool3D"
        CASES += _layer(op, op+"Grad", VOL, pool, 2, 2, padding=padding)
for d in ("1D","2D","3D"):
    CASES += _layer("Mean", "DynamicStitch", {"1D":LINES,"2D":IMAGES,"3D":VOL}[d], "GlobalAveragePooling"+d)
    CASES += _layer("Max", "DynamicStitch", {"1D":LINES,"2D":IMAGES,"3D":VOL}[d], "GlobalMaxPooling"+d)
for padding in ("same","valid"):
    for o in (dict(),dict(strides=2),dict(dilation_rate=2),dict(groups=2)):
        for k in (3,4):
            if k==4 and padding=='valid': continue
            CASES += _layer("Conv2D","Conv2DBackpropInput",IMAGES,"Conv2D",4,k,padding=padding,**o)
            CASES += _layer("Conv2D","Conv2DBackpropInput",LINES,"Conv1D",4,k,padding=padding,**o)
    for o in (dict(),dict(strides=2),dict(dilation_rate=2)):
        for k in (3,4):
            if k==4 and padding=='valid': continue
            CASES += _layer("Conv2DBackpropInput","Conv2D",IMAGES,"Conv2DTranspose",4,k,padding=padding,**o)
            CASES += _layer("Conv2DBackpropInput","Conv2D",LINES,"Conv1DTranspose",4,k,padding=padding,**o)
            if k==3:
                CASES += _layer("DepthwiseConv2dNative","DepthwiseConv2dNativeBackpropInput",IMAGES,"DepthwiseConv2D",k,padding=padding,**o)
                CASES += _layer("DepthwiseConv2dNative","DepthwiseConv2dNativeBackpropInput",LINES,"DepthwiseConv1D",k,padding=padding,**o)
                CASES += _layer("DepthwiseConv2dNative","DepthwiseConv2dNativeBackpropInput",IMAGES,"DepthwiseConv2D",k,padding=padding,depth_multiplier=3,**o)
                CASES += _layer("DepthwiseConv2dNative","DepthwiseConv2dNativeBackpropInput",IMAGES,"SeparableConv2D",4,k,padding=padding,**o)
                CASES += _layer("DepthwiseConv2dNative","DepthwiseConv2dNativeBackpropInput",LINES,"SeparableConv1D",4,k,padding=padding,**o)
    CASES += _layer("Conv3D","Conv3DBackpropInputV2",VOL,"Conv3D",4,3,padding=padding)
    CASES += _layer("Conv3DBackpropInputV2","Conv3D",VOL,"Conv3DTranspose",4,3,2,padding=padding)
CASES += _layer("Conv2D","Conv2DBackpropInput",LINES,"Conv1D",4,3,padding='causal')
CASES += _layer("Conv2DBackpropInput","Conv2D",IMAGES,"Conv2DTranspose",4,4,2,padding='same',output_padding=1)
CASES += _layer("MatMul","MatMul",[Input(("batch",5))],"Dense",4)
CASES += _layer("Tensordot","Mul",TOKENS,"Dense",4)
CASES += _layer("Einsum","Einsum",TOKENS,"EinsumDense","abc,cd->abd",(None,7), bias_axes='d')
CASES += _layer("Rsqrt","Rsqrt",TOKENS,"LayerNormalization")
CASES += _layer("Rsqrt","Rsqrt",IMAGES,"LayerNormalization",axis=[1,2,3])
CASES += _layer("Rsqrt","Rsqrt",TOKENS,"RMSNormalization")
CASES += _layer("Rsqrt","Rsqrt",IMAGES,"BatchNormalization")
CASES += _layer("Rsqrt","Rsqrt",[Input(("batch",5))],"BatchNormalization")
CASES += _layer("Rsqrt","Rsqrt",[Input(("batch",5,6,4))],"GroupNormalization",2)
CASES += _layer("Rsqrt","Rsqrt",[Input(("batch",5,6,4))],"GroupNormalization",-1)
CASES += _layer("Rsqrt","Rsqrt",[Input(("batch",5))],"UnitNormalization")
CASES += _layer("SelectV2","SelectV2",TOKENS,"PReLU")
CASES += _layer("Resize","ResizeNearestNeighborGrad",IMAGES,"UpSampling2D",2)
CASES += _layer("Resize","ResizeNearestNeighborGrad",IMAGES,"UpSampling2D",2,interpolation='bilinear')
CASES += _layer("Resize","ResizeNearestNeighborGrad",IMAGES,"UpSampling2D",2,interpolation='bicubic')
CASES += _layer("Resize","ResizeNearestNeighborGrad",LINES,"UpSampling1D",2)
CASES += _layer("Resize","ResizeNearestNeighborGrad",IMAGES,"Resizing",4,5)
CASES += _layer("Resize","ResizeNearestNeighborGrad",IMAGES,"Resizing",14,11)
CASES += _layer("Resize","ResizeNearestNeighborGrad",IMAGES,"Resizing",14,11,interpolation='nearest')
CASES += _layer("Resize","ResizeNearestNeighborGrad",IMAGES,"Resizing",14,11,interpolation='bicubic')
CASES += _layer("Pad","Slice",IMAGES,"ZeroPadding2D",1)
CASES += _layer("Pad","Slice",LINES,"ZeroPadding1D",1)
CASES += _layer("StridedSlice","StridedSliceGrad",IMAGES,"Cropping2D",1)
CASES += _layer("StridedSlice","StridedSliceGrad",LINES,"Cropping1D",1)
CASES += _layer("Reshape","Reshape",IMAGES,"Flatten")
CASES += _layer("Reshape","Reshape",IMAGES,"Reshape",(6,14))
CASES += _layer("Transpose","Transpose",LINES,"Permute",(2,1))
CASES += _layer("Tile","Sum",[Input(("batch",5))],"RepeatVector",3)
CASES += _layer("Einsum","Einsum",[TOKENS[0],Input(("batch",4,8))],"MultiHeadAttention",2,3)
CASES += _layer("Einsum","Einsum",[TOKENS[0],Input(("batch",4,8))],"GroupQueryAttention",3,4,2)
class SelfAttention(keras.layers.Layer):
    def __init__(self, *a, dtype=None, causal=False, **k):
        super().__init__(dtype=dtype); self.causal=causal
        self.inner = keras.layers.MultiHeadAttention(*a, dtype=dtype, **k)
    def build(self, s): self.inner.build(s, s)
    def call(self, x): return self.inner(x, x, use_causal_mask=self.causal)
keras.layers.SelfAttention=SelfAttention
CASES += _layer("Einsum","Einsum",TOKENS,"SelfAttention",2,3)
CASES += _layer("Einsum","Einsum",TOKENS,"SelfAttention",2,3,causal=True)
CASES += _layer("TensorListReserve","TensorListReserve",TOKENS,"GRU",3)
CASES += _layer("TensorListReserve","TensorListReserve",TOKENS,"LSTM",3)
CASES += _layer("TensorListReserve","TensorListReserve",TOKENS,"SimpleRNN",3,return_sequences=True)
CASES += [Case("ResourceGather", Layer(keras.layers.Embedding,7,3), [Input(("batch",4),0,7,dtype='int32')], dtypes=('float32',))]
CASES += _layer("Mul","Mul",TOKENS,"Rescaling",1/255.)
CASES += _layer("Mul","Mul",TOKENS,"Dropout",.5)
CASES += _layer("Mul","Mul",TOKENS,"SpectralNormalization",keras.layers.Dense(3))
CASES += _layer("Mul","Mul",TOKENS,"TimeDistributed",keras.layers.Dense(3))
CASES += _layer("Mul","Mul",[Input(("batch",5)),Input(("batch",5))][:1],"Discretization",[0.,1.])
CASES += [Case("FusedBatchNormV3", lambda x,s,o,m,v: tf.compat.v1.nn.fused_batch_norm(x,s,o,m,v,is_training=False)[0], [Input(("batch",3,3,2)),*(Input((2,),.1) for _ in range(4))], dtypes=('float32',))]
CASES += [Case("FusedBatchNormGradV3", gradient(lambda x,s,o,m,v: tf.compat.v1.nn.fused_batch_norm(x,s,o,m,v,is_training=False)[0],of=1), [Input(("batch",3,3,2)),*(Input((2,),.1) for _ in range(4))], dtypes=('float32',))]
