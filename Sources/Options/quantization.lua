return {
  {c = "prune_quantize_options", lua = "Model:quantize", id = "quantize", struct = "quantize_call_options", swift = "QuantizeOptions", fields = {
    {"scheme", "choice", {"static", "dynamic", "weight_only", "float32", "float16", "bfloat16", "float8", "palette", "joint"}, default = "static",
      text = [[static: int8, activation scales from calibration data. dynamic: int8, activation scales found while running.
        weight_only: weights alone. float16, bfloat16: half precision. float8: weights stored as E4M3. float32: back from half or
        double precision. palette: few different values a weight, for packed files. joint: each weight pruned and palettized, to a
        budget of bytes]],
      more = [["static": int8 weights and uint8 activations with scales from calibration data. "dynamic": int8 weights, and
        activations with scales found while the model runs. "weight_only": weights of 2, 3, 4, 5, 6 or 8 bits, layers compute in
        float. "float32": all numbers of a half or double precision model, inputs and outputs too. "float16":
        weights and activations, but for operators that need float32; inputs and outputs stay
        float32. "bfloat16": weights stored as bfloat16, layers compute in float32. "float8": weights stored as float8 (E4M3) with a scale a channel or a block, layers compute in float32. "palette": weights that take few
        different values each (k-means), float32 in ONNX files and small in packed ones. "joint": each weight pruned
        and palettized as far as a budget of `bytes` for all asks for, by what it tolerates on `calibration`.]]},
    {"bits", "count", text = "static, dynamic: 8; weight_only: 8, 6, 5, 4, 3 or 2; palette: 2 to 8, 4 if not given",
      more = [[Static, dynamic: 8; "weight_only": 8, 6, 5, 4, 3 or 2; "palette": 2 to 8, 4 if not given. Codes
        of 2 and 3 bits lie in elements of 4 bits, those of 5 and 6 in elements of 8, the least that ONNX has; packed
        files take what the codes need.]]},
    {"per_channel", "flag", default = true, text = "a scale for each output channel of a weight"},
    {"symmetric", "flag", default = false,
      text = [[int8 activations around zero in place of uint8 with a zero point; with weight_only, weights below 8 bits]]},
    {"block_size", "count",
      text = [[weight_only, float8: how many weights along the summed axis share a scale; 32 below 8 bits, a whole channel for 8]]},
    {"percentile", "positive", default = 99.99, text = "with calibrator percentile, the share of values that the range covers, in per cent"},
    {"group_size", "count", text = "palette: how many output channels share a palette; all of a weight's if not given"},
    {"fisher", "flag", default = false,
      text = "palette: weights count by the squared gradient of the loss on calibration, which needs labels"},
    {"equalize", "flag", default = false,
      text = "static: even out the ranges of channels between layers first",
      more = [["static": ranges of channels are evened out between layers before anything else.]]},
    {"bias_correction", "flag", default = false,
      text = "static: take the mean error of rounded weights off the biases"},
    {"mixed", "flag", default = false,
      text = [[static: when the guard does not hold, give layers back to float, the most damaging first, until it does]]},
    {"qat", "flag", default = false,
      text = [[static: keep float weights that compute as int8, for Model:fit to adapt; quantizing the result again stores
        the int8 model]],
      more = [["static": the result keeps float weights and computes as if they were int8, for prune_model_fit to adapt
        them to their quantized values (straight-through gradients; pruned weights stay zero, scales stay unless
        `learn_scales`). Quantizing it again, without data, stores the int8 model.]]},
    {"rounding", "choice", {"nearest", "gptq", "adaround", "awq", "hqq"}, default = "nearest",
      text = [[gptq: each weight makes up for the errors before it; adaround: then up or down until no change helps; both
        for static and weight_only; awq: finer where activations are large, for weight_only; hqq: zero points of
        blocks that make errors sparse, without data, for weight_only]],
      more = [["nearest", or "gptq": weights of "static" and "weight_only" are rounded so that each makes up for the errors before it, on the calibration data. "adaround": the same, and then up
        or down one weight at a time until no change brings the layer's outputs closer. "awq", with "weight_only":
        weights that meet large activations are rounded more finely, their input divided by a constant in return. "hqq", with "weight_only": half-quadratic
        quantization, zero points of blocks that make the errors sparse, found from the weights alone.]]},
    {"smooth", "fraction", default = 0,
      text = [[static: how far ranges of channels move from activations into weights first (SmoothQuant's alpha), from 0,
        not at all, to 1, all the way]],
      more = [["static": how far ranges of channels are moved from activations into weights first (SmoothQuant's alpha),
        through rectifiers, pools and residual sums, or by a Mul in front of a matrix product; 0 for not at all, 1 for all the way.]]},
    {"learn_scales", "flag", default = false,
      text = "with qat: Model:fit trains the scales too (LSQ)",
      more = [[With `qat`: scales of weights and activations are trained too (LSQ), as initializers that end in
        "_scale_log".]]},
    {"keep_faster", "flag", default = false,
      text = "static: layers that are slower in int8 than in float on this machine stay float",
      more = [["static": layers that take longer in int8 than in float32 on this machine, each timed alone, stay float.]]},
    {"bytes", "positive",
      text = [[joint: the bytes that weights may take in a packed file; up to 1 it is a fraction of what they take now]]},
    {"calibration", "dataset",
      text = "a few hundred samples; needed by static",
      more = "Needed by static: a few hundred samples are enough."},
    {"calibrator", "choice", {"auto", "minmax", "moving_average", "percentile", "entropy", "mse"}, default = "auto",
      text = "how ranges are found; auto tries them on samples held back",
      more = [[How the range of an activation is found: "auto" (a quarter of the samples, 32 at most, is held back, and
        "minmax", "moving_average", "mse" and "percentile" are tried on it with corrected biases, the best ones also with ranges evened out between layers as by `equalize`, the best one also without corrections), "minmax", "moving_average" (the mean over the batches of least and
        most), "percentile", "entropy" (least Kullback-Leibler divergence), "mse" (least squared error). Data is
        streamed: of each activation a histogram is kept at most.]]},
    {"format", "choice", {"qdq", "qoperator", "matmul_nbits"}, default = "qdq",
      text = [[qdq: QuantizeLinear and DequantizeLinear. qoperator: for static, operators on quantized values (QLinearConv,
        QGemm, ...); for dynamic, LSTM as DynamicQuantizeLSTM. matmul_nbits: for weight_only, ONNX Runtime's fused products]],
      more = [["qdq": QuantizeLinear/DequantizeLinear pairs that every ONNX runtime fuses. "qoperator", with "static":
        operators on quantized values, ONNX's QLinearConv and QLinearMatMul and ONNX Runtime's com.microsoft.QGemm, QLinearAdd
        and the like; with "dynamic", LSTM as com.microsoft.DynamicQuantizeLSTM, which ONNX Runtime alone computes in integers.
        "matmul_nbits": matrix products as ONNX Runtime's com.microsoft.MatMulNBits, with
        "weight_only".]]},
    {"validate", "dataset",
      text = "metrics before and after",
      more = "Metrics before and after go into the report."},
    {"guard", "table", type = "table", ckind = "table", ctype = "prune_guard", own = "guard", of = "pl_guard_set", swift = false,
      text = "{data =, metric =, max_drop =}: refuses a model that lost more",
      more = "When the drop is larger, the call fails with PRUNE_ERROR_REFUSED; NULL for none."},
    {"ignore", "texts", text = "name patterns of layers that stay float"},
    {"batch_size", "count", text = "samples a run; by default 4 for calibration, 1 of images, and 64 for evaluation"},
  }},
}
