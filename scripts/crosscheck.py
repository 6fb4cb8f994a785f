"""Compares libprune's outputs with ONNX Runtime's on models that libprune pruned, quantized and saved.

usage: crosscheck.py PRUNE SHARED WORK
"""
import glob
import gzip
import os
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime

prune, shared, work = sys.argv[1:4]
failures = 0


def lua(script, **names):
    path = os.path.join(work, "script.lua")
    with open(path, "w") as file:
        file.write("".join(f"local {name} = [[{value}]]\n" for name, value in names.items()) + script)
    done = subprocess.run([prune, path], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"script failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def report(label, figure, good):
    global failures
    failures += not good
    print(f"{'ok    ' if good else 'FAILED'} {label:<58} {figure}")


def session(path, precise=True):
    # Without VNNI products of uint8 and int8 saturate at 16 bits unless it is asked for precision; that way knows no QGemm
    # of int8 and int8, which does not saturate. It also adds a scalar zero point to codes of one scale a channel that have none,
    # and then refuses it: float networks do without.
    for precise in ["1", "0"] if precise else ["0"]:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.add_session_config_entry("session.x64quantprecision", precise)
        try:
            return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
            if precise == "0":
                raise


def distance(a, b):
    return float(np.linalg.norm(a.astype(np.float64) - b) / max(np.linalg.norm(b), 1e-12))


def cifar(count):
    raw = gzip.open(f"{shared}/data/cifar10/test_first1000.bin.gz").read()
    records = np.frombuffer(raw, np.uint8).reshape(-1, 3073)[:count]
    x = records[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255
    mean = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)
    std = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)
    return (x - mean) / std, records[:, 0].astype(np.int64)


def round_trips():
    """Loading and saving changes nothing, as protobuf messages."""
    for path in sorted(glob.glob(f"{shared}/models/**/*.onnx", recursive=True)):
        if os.path.basename(path) == "minilm_l6_v2.onnx":
            continue  # its external data is not there
        copy = os.path.join(work, "copy.onnx")
        lua("prune.load(path):save(copy)", path=path, copy=copy)
        same = onnx.load(path) == onnx.load(copy)
        report(f"round trip {os.path.basename(path)}", "equal" if same else "differs", same)


def compare(label, model, x, y, ours, tolerance=None, agreement=None, precise=True):
    peer = session(model, precise)
    theirs = peer.run(None, {peer.get_inputs()[0].name: x})[0]
    top = float(np.mean(ours.argmax(1) == theirs.argmax(1)))
    far = distance(ours, theirs)
    good = (tolerance is None or far <= tolerance) and (agreement is None or top >= agreement)
    accuracy = f"accuracy {np.mean(ours.argmax(1) == y):.4f}, ONNX Runtime {np.mean(theirs.argmax(1) == y):.4f}"
    report(label, f"distance {far:.2e}, same top-1 {top:.4f}, {accuracy}", good)


def transforms():
    x, y = cifar(1000)
    data = os.path.join(work, "cifar.npz")
    np.savez(data, x=x, y=y)
    for name in ["resnet20_cifar10", "resnet20_cifar10_jpegft", "resnet56_cifar10"]:
        outputs = os.path.join(work, "outputs.npz")
        files = {kind: os.path.join(work, f"{name}_{kind}.onnx") for kind in ["pruned", "int8", "pruned_int8"]}
        lua(
            """
            local data = prune.data.npz(path_data)
            local model = prune.load(path)
            local pruned = model:prune{strategy = "global", amount = 0.5}
            local int8 = model:quantize{scheme = "static", calibration = data:take(200)}
            local both = pruned:quantize{scheme = "static", calibration = data:take(200)}
            pruned:save(path_pruned); int8:save(path_int8); both:save(path_both)
            prune.npz.save(path_outputs, {
              dense = model:predict(data.x), pruned = pruned:predict(data.x), int8 = int8:predict(data.x),
              pruned_int8 = both:predict(data.x)})
            """,
            path=f"{shared}/models/resnet_cifar/{name}.onnx", path_data=data, path_outputs=outputs,
            path_pruned=files["pruned"], path_int8=files["int8"], path_both=files["pruned_int8"])
        ours = np.load(outputs)
        compare(f"{name}", f"{shared}/models/resnet_cifar/{name}.onnx", x, y, ours["dense"], tolerance=1e-4)
        compare(f"{name} pruned", files["pruned"], x, y, ours["pruned"], tolerance=1e-4)
        compare(f"{name} int8", files["int8"], x, y, ours["int8"], agreement=0.99)
        compare(f"{name} pruned int8", files["pruned_int8"], x, y, ours["pruned_int8"], agreement=0.99)
        for kind, path in files.items():
            onnx.checker.check_model(path, full_check=True)


def schemes():
    """Every way to quantize ResNet-20, run by both."""
    x, y = cifar(200)
    data, outputs = os.path.join(work, "cifar.npz"), os.path.join(work, "outputs.npz")
    np.savez(data, x=x, y=y)
    model = f"{shared}/models/resnet_cifar/resnet20_cifar10_jpegft.onnx"
    path = os.path.join(work, "scheme.onnx")
    integers = {"agreement": 0.99}
    for options, bound in [
        ('scheme = "static", calibrator = "moving_average", calibration = data', integers),
        ('scheme = "static", calibrator = "percentile", calibration = data', integers),
        ('scheme = "static", calibrator = "entropy", calibration = data', integers),
        ('scheme = "static", calibrator = "mse", calibration = data', integers),
        ('scheme = "static", per_channel = false, equalize = true, bias_correction = true, calibration = data', integers),
        ('scheme = "static", format = "qoperator", calibration = data', integers),
        ('scheme = "static", format = "qoperator", symmetric = true, calibration = data', integers),
        ('scheme = "static", smooth = 0.5, calibration = data', integers),
        ('scheme = "static", rounding = "adaround", calibration = data', integers),
        ('scheme = "dynamic"', integers),
        ('scheme = "weight_only"', {"tolerance": 1e-4}),
        ('scheme = "weight_only", bits = 4', {"tolerance": 1e-4}),
        ('scheme = "weight_only", bits = 4, format = "matmul_nbits"', {"tolerance": 1e-4}),
        ('scheme = "weight_only", bits = 4, rounding = "gptq", calibration = data', {"tolerance": 1e-4}),
        ('scheme = "joint", bytes = 0.1, calibration = data', {"tolerance": 1e-4}),
        ('scheme = "float16"', {"tolerance": 5e-3}),
        ('scheme = "bfloat16"', {"tolerance": 1e-4}),
    ]:
        lua(
            "local data = prune.data.npz(path_data)\n"
            f"local small = prune.load(model):quantize{{{options}}}\n"
            "small:save(path)\nprune.npz.save(outputs, {y = small:predict(data.x)})",
            path_data=data, model=model, path=path, outputs=outputs)
        # Those that are checked to a tolerance compute in float.
        compare(options.replace(", calibration = data", ""), path, x, y, np.load(outputs)["y"], precise=bound is integers, **bound)
        onnx.checker.check_model(path, full_check="nbits" not in options)


def trained():
    """A network made and trained by libprune, pruned and quantized."""
    outputs, data = os.path.join(work, "outputs.npz"), os.path.join(work, "digits.npz")
    files = [os.path.join(work, f"lenet_{kind}.onnx") for kind in ["dense", "pruned", "int8"]]
    lua(
        """
        local train, test = prune.data.digits():split{test = 0.2, seed = 7}
        local model = prune.zoo.lenet5{classes = 10, input = {1, 8, 8}}
        model:fit{data = train, epochs = 3, batch_size = 64}
        local pruned = model:prune{strategy = "global", amount = 0.8, recover = {data = train, epochs = 1}}
        local int8 = pruned:quantize{scheme = "static", calibration = train:take(200)}
        model:save(dense_path); pruned:save(pruned_path); int8:save(int8_path)
        prune.npz.save(outputs, {dense = model:predict(test.x), pruned = pruned:predict(test.x), int8 = int8:predict(test.x)})
        prune.npz.save(data, {x = test.x, y = test.y})
        """,
        outputs=outputs, data=data, dense_path=files[0], pruned_path=files[1], int8_path=files[2])
    ours, digits = np.load(outputs), np.load(data)
    for kind, path in zip(["dense", "pruned", "int8"], files):
        exact = kind != "int8"
        compare(f"lenet5 on digits, {kind}", path, digits["x"], digits["y"], ours[kind],
                tolerance=1e-4 if exact else None, agreement=None if exact else 0.99)
        onnx.checker.check_model(path, full_check=True)


CASES = """
local prune = require "prune"
local function ramp(info)
  local shape, count = {}, 1
  for axis, extent in ipairs(info.shape) do
    shape[axis] = math.type(extent) == "integer" and extent > 0 and extent or axis == 1 and 8 or 4
    count = count * shape[axis]
  end
  local values = {dtype = info.dtype, shape = shape}
  for i = 1, count do values[i] = info.dtype:find "int" and i % 3 or math.sin(i * 0.7) end
  return prune.tensor(values)
end
local m = prune.load(path)
local inputs = {}
for _, info in ipairs(m.inputs) do inputs[info.name] = ramp(info) end
local function save(name, transform)
  local ok, made = pcall(transform)
  if ok then made:save(work .. "/case_" .. name .. ".onnx") end
end
save("same", function() return m end)
for _, o in ipairs{{"weight_only", 8}, {"weight_only", 4}, {"weight_only", 4, "matmul_nbits"}, {"dynamic"}, {"float16"},
  {"bfloat16"}, {"float32"}, {"palette"}} do
  save(table.concat(o, "_"), function() return (m:quantize{scheme = o[1], bits = o[2], format = o[3]}) end)
end
for _, symmetric in ipairs{true, false} do
  save("static_" .. tostring(symmetric), function()
    return (m:quantize{scheme = "static", symmetric = symmetric, calibration = prune.data.tensors(inputs)})
  end)
end
save("weights", function() return (m:prune{amount = 0.3}) end)
save("channels", function() return (m:prune{granularity = "channel", amount = 0.3}) end)
save("simplify", function() return (m:simplify()) end)
"""


def made_inputs(session):
    """Inputs of a session as CASES has them."""
    feeds = {}
    for info in session.get_inputs():
        shape = [extent if isinstance(extent, int) else 8 if axis == 0 else 4 for axis, extent in enumerate(info.shape)]
        numbers = np.arange(1, int(np.prod(shape)) + 1)
        kind = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
                "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}[info.type]
        values = numbers % 3 if np.issubdtype(kind, np.integer) else np.sin(numbers * 0.7)
        feeds[info.name] = values.reshape(shape).astype(kind)
    return feeds


def cases():
    """Every file made of the small models of Tests/Cases passes onnx.checker, loads in ONNX Runtime as it is by default and
    runs there; what only simplifies gives what the given model gives."""
    root = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Tests", "Cases")
    for path in sorted(glob.glob(f"{root}/*/*.onnx")):
        for old in glob.glob(f"{work}/case_*"):
            os.remove(old)
        lua(CASES, path=path, work=work)
        problems, given, runs = [], {}, True
        made = sorted(glob.glob(f"{work}/case_*.onnx"), key=lambda file: not file.endswith("case_same.onnx"))
        for file in made:
            name = os.path.basename(file)[5:-5]
            try:
                onnx.checker.check_model(file, full_check=True)
                options = onnxruntime.SessionOptions()
                options.log_severity_level = 4
                ready = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
                if not runs:
                    continue
                try:
                    outputs = dict(zip([output.name for output in ready.get_outputs()], ready.run(None, made_inputs(ready))))
                except Exception:
                    # Made inputs do not fit every model: what the given one cannot be run with says nothing about the others.
                    if name != "same":
                        raise
                    runs = False
                    continue
                if name == "same":
                    given = outputs
                elif name == "simplify":
                    off = max(distance(outputs[key], given[key]) for key in given)
                    if off > 1e-5:
                        problems.append(f"{name}: outputs differ by {off:.2g}")
            except Exception as problem:
                problems.append(f"{name}: {str(problem)[:80]}")
        # What neither can do with the given model is no fault of what was made of it.
        if problems and any(problem.startswith("same:") for problem in problems):
            problems = [problem for problem in problems if "NOT_IMPLEMENTED" not in problem and not problem.startswith("same:")]
        label = "case " + os.path.relpath(path, root)[:-5]
        report(label, "; ".join(problems) if problems else f"{len(made)} files{'' if runs else ', loaded and not run'}", not problems)


def sample(path):
    """Inputs of a topology: stored beside it, or random ones for a batch of two."""
    if os.path.exists(path[:-5] + ".npz"):
        arrays = np.load(path[:-5] + ".npz")
        return {key.split("_", 2)[2]: arrays[key] for key in arrays if key.startswith("in_")}
    random, feeds = np.random.default_rng(1), {}
    for value in session(path).get_inputs():
        shape = [extent if isinstance(extent, int) else {"N": 2, "L": 6}[extent] for extent in value.shape]
        if "float" in value.type:
            feeds[value.name] = random.standard_normal(shape).astype(np.float32)
        elif "bool" in value.type:
            feeds[value.name] = np.array(True)
        else:
            feeds[value.name] = random.integers(0, 5, shape)
    return feeds


def masked(path, name, feeds):
    """Operators that are not run here: ONNX Runtime gives the same for heads that are zero and for heads that are gone."""
    files = {mode: os.path.join(work, f"{name}_{mode}.onnx") for mode in ["mask", "remove"]}
    lua(
        """
        local model = prune.load(path)
        for _, mode in ipairs{"mask", "remove"} do
          local slim = model:prune{granularity = "head", strategy = "local", criterion = "l2", amount = 0.5, mode = mode}
          slim:save(("%s_%s.onnx"):format(prefix, mode))
        end
        """,
        path=path, prefix=os.path.join(work, name))
    mask, remove = (session(files[mode]).run(None, feeds)[0] for mode in ["mask", "remove"])
    far = distance(mask, remove)
    report(f"{name} without half of its heads", f"distance {far:.2e} from the masked one", far <= 1e-4)


def structured():
    """Channels, heads and width taken out of every topology: ONNX Runtime runs what is left, with our outputs."""
    written = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests", "Data", "topologies")
    for path in sorted(glob.glob(f"{shared}/models/topologies/*.onnx") + glob.glob(f"{written}/*.onnx")):
        name = os.path.basename(path)[:-5]
        feeds = sample(path)
        if name == "contributed_attention":
            masked(path, name, feeds)
            continue
        inputs, outputs = os.path.join(work, "inputs.npz"), os.path.join(work, "outputs.npz")
        np.savez(inputs, **feeds)
        lua(
            """
            local feeds, results = prune.npz.load(inputs), {}
            local model = prune.load(path)
            for _, amount in ipairs{10, 30, 50, 70} do
              local slim = model:prune{granularity = "channel", strategy = "local", criterion = "l2", amount = amount / 100}
              slim:save(("%s_%d.onnx"):format(prefix, amount))
              for key, value in pairs(slim:run(feeds)) do results[("%d_%s"):format(amount, key)] = value end
            end
            for _, kind in ipairs{"head", "head_dim", "width"} do
              local granularity = kind == "width" and "channel" or kind
              local found, slim = pcall(model.prune, model, {
                granularity = granularity, strategy = "local", criterion = "l2", amount = 0.5, width = kind == "width"})
              if found then
                slim:save(("%s_%s.onnx"):format(prefix, kind))
                for key, value in pairs(slim:run(feeds)) do results[("%s_%s"):format(kind, key)] = value end
              end
            end
            prune.npz.save(outputs, results)
            """,
            path=path, inputs=inputs, outputs=outputs, prefix=os.path.join(work, name))
        ours = np.load(outputs)
        for amount in [10, 30, 50, 70, "head", "head_dim", "width"]:
            file = os.path.join(work, f"{name}_{amount}.onnx")
            if not isinstance(amount, int) and not os.path.exists(file):
                continue  # it has none
            onnx.checker.check_model(file, full_check=True)
            runtime = session(file, precise=False)
            names = [output.name for output in runtime.get_outputs()]
            theirs = dict(zip(names, runtime.run(names, feeds)))
            far = max(distance(ours[f"{amount}_{key}"], theirs[key]) for key in names)
            what = f"{amount} % of its channels" if isinstance(amount, int) else f"half of its {amount}"
            report(f"{name} without {what}", f"distance {far:.2e}", far <= 1e-4)


cases()
round_trips()
structured()
transforms()
schemes()
trained()
print("all agree" if failures == 0 else f"{failures} do not agree")
sys.exit(failures != 0)
