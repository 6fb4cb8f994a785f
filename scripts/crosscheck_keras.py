"""Compares libprune's outputs with Keras's on models of Keras that libprune read, pruned and saved.

usage: crosscheck_keras.py PRUNE WORK [NAME ...]
"""
import os
import subprocess
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np

prune, work = sys.argv[1:3]
chosen = sys.argv[3:]
failures = 0
applications = {
    "ResNet50": (64, 64, 3), "MobileNetV2": (64, 64, 3), "EfficientNetB0": (64, 64, 3), "DenseNet121": (64, 64, 3), "InceptionV3": (80, 80, 3),
    "NASNetMobile": (64, 64, 3),
}


def lua(script, **names):
    path = os.path.join(work, "script.lua")
    with open(path, "w") as file:
        file.write("".join(f"local {name} = [[{value}]]\n" for name, value in names.items()) + script)
    done = subprocess.run([prune, path], capture_output=True, text=True)
    if done.returncode != 0:
        return (done.stdout + done.stderr).strip()


def report(label, figure, good):
    global failures
    failures += not good
    print(f"{'ok    ' if good else 'FAILED'} {label:<48} {figure}", flush=True)


def distance(a, b):
    return float(np.linalg.norm(a.astype(np.float64) - b) / max(np.linalg.norm(b), 1e-12))



def randomized(model, random):
    """Weights and statistics of normalization as training leaves them: not zeros and ones."""
    for weight in model.weights:
        if "gamma" in weight.path or "variance" in weight.path:
            weight.assign(random.uniform(0.5, 1.5, weight.shape).astype("float32"))
        elif "beta" in weight.path or "mean" in weight.path or "bias" in weight.path:
            weight.assign(random.normal(0, 0.1, weight.shape).astype("float32"))


def check(name, shape):
    random = np.random.default_rng(1)
    keras.backend.clear_session()
    model = getattr(keras.applications, name)(weights=None, input_shape=shape, classes=10)
    randomized(model, random)
    x = random.normal(0, 1, (2, *shape)).astype("float32")
    wanted = np.asarray(model(x, training=False))
    inputs = os.path.join(work, "inputs.npz")
    np.savez(inputs, x=x)
    for suffix in ["keras", "h5"]:
        source, outputs = os.path.join(work, f"{name}.{suffix}"), os.path.join(work, "outputs.npz")
        model.save(source)
        prefix = os.path.join(work, f"{name}_{suffix}")
        problem = lua(
            """
            local x = prune.npz.load(inputs).x
            local start = os.clock()
            local model = prune.load(source)
            print(("read in %.2f s of processor time"):format(os.clock() - start))
            local slim, report = model:prune{granularity = "channel", strategy = "local", criterion = "l2", amount = 0.3}
            for _, suffix in ipairs{"keras", "h5"} do
              model:save(prefix .. "_whole." .. suffix)
              slim:save(prefix .. "_slim." .. suffix)
            end
            prune.npz.save(outputs, {whole = model:predict(x), slim = slim:predict(x)})
            """, source=source, inputs=inputs, outputs=outputs, prefix=prefix)
        if problem:
            report(f"{name}.{suffix}", problem[:300], False)
            continue
        ours = np.load(outputs)
        far = distance(ours["whole"], wanted)
        report(f"{name}.{suffix} read", f"distance {far:.2e}", far <= 1e-4)
        for kind, target in [("whole", wanted), ("slim", ours["slim"])]:
            for written in ["keras", "h5"]:
                path = f"{prefix}_{kind}.{written}"
                try:
                    loaded = keras.models.load_model(path, compile=False)
                    far = distance(np.asarray(loaded(x, training=False)), target)
                    parameters = f", {loaded.count_params():,} of {model.count_params():,} parameters"
                    report(f"{name}.{suffix} {kind}, written as .{written}", f"distance {far:.2e}{parameters}", far <= 1e-4)
                except (ValueError, TypeError) as problem:
                    report(f"{name}.{suffix} {kind}, written as .{written}", repr(problem)[:300], False)


for name, shape in applications.items():
    if not chosen or name in chosen:
        check(name, shape)
print("all agree" if failures == 0 else f"{failures} do not agree")
sys.exit(failures != 0)
