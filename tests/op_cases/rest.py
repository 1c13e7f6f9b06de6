import numpy as np
import tensorflow as tf
from op_cases.comparison import Case, Input, gradient
B = (Input(("batch", 3)),)
def spd(a):
    return a @ np.swapaxes(a,-1,-2) + 2*np.eye(a.shape[-1])
SPD=[Input(("batch",4,4),then=spd)]
RHS=Input(("batch",4,2))
CASES=[
 Case("Cholesky", tf.linalg.cholesky, SPD),
 Case("CholeskyGrad", gradient(tf.linalg.cholesky), SPD,eps=64),
 Case("Cholesky", gradient(lambda x: tf.linalg.logdet(x)), SPD,'logdet',eps=64),
 Case("MatrixInverse", tf.linalg.inv, SPD,eps=64),
 Case("MatrixInverse", gradient(tf.linalg.inv), SPD,'g',eps=64),
 Case("MatrixSolve", tf.linalg.solve, [*SPD,RHS],eps=64),
 Case("MatrixSolve", gradient(tf.linalg.solve), [*SPD,RHS],'g',eps=64),
 Case("MatrixDeterminant", tf.linalg.det, SPD,eps=64),
 Case("LogMatrixDeterminant", tf.linalg.slogdet, SPD,eps=64),
 Case("Cholesky", lambda x,y: tf.linalg.cholesky_solve(tf.linalg.cholesky(x),y), [*SPD,RHS],'cs',eps=64),
 Case("MatrixTriangularSolve", tf.linalg.triangular_solve, [*SPD,RHS],eps=64),
 Case("MatrixTriangularSolve", gradient(tf.linalg.triangular_solve), [*SPD,RHS],'g',eps=64),
 Case("SelfAdjointEigV2", tf.linalg.eigh, SPD,eps=64),
 Case("Qr", tf.linalg.qr, SPD,eps=64),
 Case("Svd", tf.linalg.svd, SPD,eps=64),
]
SEED=Input((2,),-2**31,2**31-1,dtype='int64')
SEED32=Input((2,),-2**31,2**31-1,dtype='int32')
def rnd(f):
    return lambda x, seed: f([tf.shape(x)[0],5], seed, x.dtype)
R=[Input(("batch",3)),SEED]
R32=[Input(("batch",3)),SEED32]
tr=tf.random
CASES+=[
 Case("StatelessRandomUniformV2", rnd(lambda s,k,d: tr.stateless_uniform(s,k,-1,3,d)), R),
 Case("StatelessRandomUniformV2", rnd(lambda s,k,d: tr.stateless_uniform(s,k,-1,3,d)), R32,'32'),
 Case("StatelessRandomNormalV2", rnd(lambda s,k,d: tr.stateless_normal(s,k,1,2,d)), R),
 Case("StatelessTruncatedNormalV2", rnd(lambda s,k,d: tr.stateless_truncated_normal(s,k,1,2,d)), R),
 Case("StatelessRandomUniformIntV2", rnd(lambda s,k,d: tr.stateless_uniform(s,k,-5,9,d)), R,dtypes=('int32','int64')),
 Case("StatelessRandomUniformFullIntV2", rnd(lambda s,k,d: tr.stateless_uniform(s,k,None,None,d)), R,dtypes=('int32','int64','uint32','uint64')),
 Case("StatelessMultinomial", lambda x,k: tr.stateless_categorical(x, 7, k), R),
 Case("StatelessRandomUniform", lambda x,k: tf.raw_ops.StatelessRandomUniform(shape=tf.shape(x),seed=k,dtype=x.dtype), R),
 Case("StatelessRandomNormal", lambda x,k: tf.raw_ops.StatelessRandomNormal(shape=tf.shape(x),seed=k,dtype=x.dtype), R),
 Case("StatelessTruncatedNormal", lambda x,k: tf.raw_ops.StatelessTruncatedNormal(shape=tf.shape(x),seed=k,dtype=x.dtype), R),
 Case("StatelessRandomUniformInt", lambda x,k: tf.raw_ops.StatelessRandomUniformInt(shape=tf.shape(x),seed=k,minval=tf.cast(-3,x.dtype),maxval=tf.cast(7,x.dtype)), R,dtypes=('int32','int64')),
 Case("StatelessRandomUniformFullInt", lambda x,k: tf.raw_ops.StatelessRandomUniformFullInt(shape=tf.shape(x),seed=k,dtype=x.dtype), R,dtypes=('int32','int64')),
 Case("StatelessRandomGetKeyCounter", lambda k: [tf.cast(v,'int64') for v in tf.raw_ops.StatelessRandomGetKeyCounter(seed=k)],[SEED],dtypes=('int64',)),
 Case("StatelessShuffle", rnd(lambda s,k,d: tr.experimental.stateless_shuffle(tf.range(s[0]),k)), R),
 Case("StatelessRandomGammaV3", rnd(lambda s,k,d: tr.stateless_gamma(s,k,2.,dtype=d)), R),
 Case("StatelessRandomBinomial", rnd(lambda s,k,d: tr.stateless_binomial(s,k,4.,.5)), R),
 Case("StatelessRandomPoisson", rnd(lambda s,k,d: tr.stateless_poisson(s,k,4.,d)), R),
]
def loop_const(x):
    return tf.while_loop(lambda i,v: i<3, lambda i,v: (i+1, v*.5+x), (0,x))[1]
def loop_dyn(x, w):
    return tf.while_loop(lambda i,v: i<tf.shape(x)[0]+1, lambda i,v: (i+1, tf.tanh(v@w)+x*tf.cast(i,x.dtype)), (0,x))[1]
def loop_cond(x):
    return tf.while_loop(lambda v: tf.reduce_max(tf.abs(v))>.5, lambda v: (v*.7,), (x,))[0]
def nested(x):
    return tf.while_loop(lambda i,v: i<3, lambda i,v: (i+1, tf.while_loop(lambda j,u: j<2, lambda j,u:(j+1,u*.9+x*tf.cast(i,x.dtype)),(0,v))[1]), (0,x))[1]
def loop_grad(x,w):
    f=lambda v: tf.reduce_sum(tf.tanh(v@w)**2)
    def body(i,v):
        with tf.GradientTape() as t:
            t.watch(v); e=f(v)
        return i+1, v-.1*t.gradient(e,v)
    return tf.while_loop(lambda i,v: i<3, body, (0,x))[1]
def scan(x): return tf.scan(lambda a,b: a+b, x)
def mapped(x): return tf.map_fn(lambda a: tf.reduce_sum(a*a), x)
def cond(x): return tf.cond(tf.reduce_sum(x)>0, lambda: x*2, lambda: x-1)
def case(x): return tf.switch_case(tf.cast(tf.reduce_sum(x)>0,'int32'), [lambda: x*2, lambda: x-1])
def noise(x,k):
    return tf.while_loop(lambda i,v: i<3, lambda i,v: (i+1, v*.5+tr.stateless_normal(tf.shape(x),tf.stack([k[0],tf.cast(i,k.dtype)]),dtype=x.dtype)), (0,x))[1]
W=Input((3,3))
CASES+=[
 Case("StatelessWhile", loop_const, B,'const'), Case("StatelessWhile", loop_dyn, [*B,W],'dyn'), Case("StatelessWhile", loop_cond, B,'cond'),
 Case("StatelessWhile", nested, B,'nested'), Case("StatelessWhile", loop_grad, [*B,W],'grad inside'), Case("StatelessWhile", scan, B,'scan'),
 Case("StatelessWhile", mapped, B,'map'), Case("StatelessIf", cond, B,), Case("StatelessCase", case, B,),
 Case("StatelessWhile", noise, R,'noise'), 
 Case("StatelessWhile", gradient(loop_const), B,'gradient of const'),
 Case("StatelessWhile", gradient(loop_dyn), [*B,W],'gradient of dyn'),
 Case("StatelessIf", gradient(cond), B,'gradient'),
 Case("PartitionedCall", tf.function(lambda x: x*2), B,),
 Case("StatelessWhile", lambda x: tf.vectorized_map(lambda a: tf.reduce_sum(a*a), x), B,'vec'),
]
