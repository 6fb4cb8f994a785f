"""Writes the files of layers as Keras 3 calls them: operations, masks, states, cells, adapters. Run it in this folder."""
import keras, numpy as np, json
from keras import layers as L
keras.utils.set_random_seed(3); rng=np.random.default_rng(0)
M={}
def add(f):
    keras.backend.clear_session()
    try: M[f.__name__]=f()
    except Exception as e: print('MAKE FAIL',f.__name__,repr(e)[:300])
    return f
@add
def ops():
    i=keras.Input((8,)); x=L.Dense(8)(i); x=keras.ops.relu(x)*2.0+1.0; x=3.0-x/4.0; a,b=keras.ops.split(x,2,axis=-1); c,d=keras.ops.split(x,[3],axis=1); x=keras.ops.concatenate([a,b,i,c,d],axis=-1); return keras.Model(i,L.Dense(3)(x))
@add
def einsum():
    i=keras.Input((10,16)); x=L.EinsumDense('abc,cd->abd',output_shape=(None,8),bias_axes='d',activation='relu')(i); x=L.EinsumDense('...x,xy->...y',output_shape=6)(x); x=L.EinsumDense('abc,cde->abde',output_shape=(None,3,4),bias_axes='de')(x); return keras.Model(i,x)
@add
def causal():
    i=keras.Input((10,16)); x=L.MultiHeadAttention(2,8,value_dim=6)(i,i,use_causal_mask=True); y=L.Attention()([i,i],use_causal_mask=True); return keras.Model(i,L.Dense(3)(L.Add()([x,y])))
@add
def gqa():
    i=keras.Input((10,16)); x=L.GroupQueryAttention(8,4,2)(i,i); return keras.Model(i,L.Dense(3)(x))
@add
def additive():
    a=keras.Input((10,16),name='q'); b=keras.Input((7,16),name='v'); x=L.AdditiveAttention()([a,b]); return keras.Model([a,b],L.Dense(3)(x))
@add
def state():
    i=keras.Input((12,6)); o,h,c=L.LSTM(8,return_state=True)(i); d=L.LSTM(8,return_sequences=True)(i,initial_state=[h,c]); g=L.GRU(8)(d,initial_state=h); return keras.Model(i,L.Dense(3)(g))
@add
def cells(): return keras.Sequential([keras.Input((12,6)),L.RNN([L.LSTMCell(8),L.GRUCell(5)]),L.Dense(3)])
@add
def onecell(): return keras.Sequential([keras.Input((12,6)),L.RNN(L.LSTMCell(8),return_sequences=True),L.RNN([L.SimpleRNNCell(5)]),L.Dense(3)])
@add
def both():
    i=keras.Input((12,6)); a,b=L.Bidirectional(L.LSTM(4),merge_mode=None)(i); return keras.Model(i,L.Dense(3)(L.Concatenate()([a,b])))
@add
def masked(): return keras.Sequential([keras.Input((10,),dtype='int32'),L.Embedding(50,8,mask_zero=True),L.LSTM(6),L.Dense(2)])
@add
def maskpool(): return keras.Sequential([keras.Input((10,),dtype='int32'),L.Embedding(50,8,mask_zero=True),L.Dropout(.1),L.Dense(6,activation='relu'),L.GlobalAveragePooling1D(),L.Dense(2)])
@add
def maskconv(): return keras.Sequential([keras.Input((10,),dtype='int32'),L.Embedding(50,8,mask_zero=True),L.Conv1D(6,3,activation='relu'),L.GlobalMaxPooling1D(),L.Dense(2)])
@add
def lora():
    i=keras.Input((8,8,3)); x=L.Conv2D(6,3)(i); x=L.Flatten()(x); x=L.Dense(8,use_bias=False)(x); m=keras.Model(i,L.Dense(3)(x))
    m.layers[1].enable_lora(2,lora_alpha=4); m.layers[3].enable_lora(2); m.layers[4].enable_lora(2); return m
@add
def lora2():
    i=keras.Input((5,),dtype='int32'); x=L.Embedding(20,8)(i); x=L.EinsumDense('abc,cd->abd',output_shape=(None,6),bias_axes='d')(x); m=keras.Model(i,x)
    m.layers[1].enable_lora(2); m.layers[2].enable_lora(3); return m
@add
def lora3():
    s=keras.Sequential([keras.Input((6,)),L.Dense(5),L.BatchNormalization(),L.Dense(4)],name='body'); s.layers[0].enable_lora(2); i=keras.Input((6,)); return keras.Model(i,L.Dense(2)(s(i)))
@add
def blocks():
    i=keras.Input((6,8)); x=L.Dense(8)(i); y=L.LayerNormalization()(x); x=L.Add()([x,L.MultiHeadAttention(2,4)(y,y)]); y=L.LayerNormalization()(x); y=L.Dense(8)(L.Dense(12,activation='gelu')(y)); x=L.Add()([x,y]); x=L.Reshape((2,3,8))(x); x=L.Dense(6)(x); x=L.Reshape((6,6))(x); x=L.GlobalAveragePooling1D()(x); x=L.Normalization(mean=[1.]*6,variance=[2.]*6)(x); return keras.Model(i,L.Dense(3)(x))
@add
def masksteps():
    i=keras.Input((10,),dtype='int32'); x=L.Embedding(50,8,mask_zero=True)(i); x=L.LSTM(6,return_sequences=True)(x); x=L.Bidirectional(L.GRU(4,return_sequences=True))(x); x=L.GRU(3)(x); return keras.Model(i,L.Dense(2)(x))
import sys
chosen = sys.argv[1:]
for n,m in M.items():
    if chosen and n not in chosen: continue
    for w in m.weights:
        v=w.numpy()
        if 'seed' in w.path or v.dtype.kind in 'iu': continue
        w.assign(rng.uniform(.5,2,v.shape) if 'variance' in w.path else rng.normal(0,.5,v.shape))
    ins=m.inputs; data={}
    for t in ins:
        shp=[4]+[9 if d is None else d for d in t.shape[1:]]; nm=t.name.split(':')[0]
        if 'int' in str(t.dtype):
            x=rng.integers(1,20,shp).astype('int32')
            if 'mask' in n: x[0,6:]=0; x[1,:3]=0; x[2,4]=0
            data[nm]=x
        else: data[nm]=rng.normal(0,1,shp).astype('float32')
    y=m(list(data.values()) if len(ins)>1 else list(data.values())[0],training=False)
    np.savez(f'{n}.npz',**{f'x{k}':v for k,v in enumerate(data.values())},y0=np.asarray(y))
    for ext in ('keras','h5'):
        try: m.save(f'{n}.{ext}')
        except Exception as e: print('SAVE FAIL',n,ext,repr(e)[:150])
print(len(M))
