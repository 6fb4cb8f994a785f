"""Checks the accuracies that ../shared states of its models, each over the whole of its test set, through the program.

usage: accuracy.py PRUNE SHARED WORK [MINILM]

CIFAR-10 (10,000 images), ImageNet (one image a class), and, given MINILM, the STS-B test set (1,379 pairs of sentences).
JPEGs are decoded by Pillow here; the rest, normalization and metrics included, is libprune's, the rank correlation excepted.
"""
import io
import os
import subprocess
import sys
import tarfile

import numpy as np
from PIL import Image

prune, shared, work = sys.argv[1:4]
minilm = sys.argv[4] if len(sys.argv) > 4 else None
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
failures = 0


def lua(script, *arguments):
    path = os.path.join(work, "accuracy.lua")
    with open(path, "w") as file:
        file.write("local prune = require 'prune'\n" + script)
    done = subprocess.run([prune, path, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"script failed:\n{done.stdout}{done.stderr}")
    return done.stdout.split()


def report(label, found, wanted, tolerance):
    """Figures, and what is stated of them."""
    global failures
    good = all(abs(a - b) <= tolerance for a, b in zip(found, wanted))
    failures += not good
    print(f"{'ok    ' if good else 'FAILED'} {label:<40} {' / '.join(f'{a:.4g}' for a in found)}, "
          f"stated {' / '.join(f'{b:.4g}' for b in wanted)}", flush=True)


def cifar10():
    records = os.path.join(work, "test.bin")
    subprocess.run([sys.executable, f"{shared}/data/cifar10/unpack.py", "test", records], check=True, capture_output=True)
    for name, stated in [("resnet20_cifar10", (81.03, 98.72)), ("resnet56_cifar10", (83.20, 98.95))]:
        found = lua(
            """
            local data = prune.data.cifar10(arg[2]):normalize{mean = {0.485, 0.456, 0.406}, std = {0.229, 0.224, 0.225}}
            local report = prune.load(arg[1]):evaluate(data, {metrics = {"accuracy", "top5"}, batch_size = 100})
            print(100 * report.accuracy, 100 * report.top5)
            """, f"{shared}/models/resnet_cifar/{name}.onnx", records)
        # One image in 10,000 may change sides by rounding.
        report(f"{name}, 10,000 images, top-1 / top-5 %", [float(x) for x in found], stated, 0.011)


def imagenet():
    """In parts: all images at once are 600 MB."""
    files = []
    with tarfile.open(f"{shared}/data/imagenet1000/images_224_q90.tar") as archive:
        names = sorted(name for name in archive.getnames() if name.endswith(".jpg"))
        for start in range(0, len(names), 100):
            part = names[start:start + 100]
            pixels = [np.asarray(Image.open(io.BytesIO(archive.extractfile(name).read())).convert("RGB")) for name in part]
            x = (np.stack(pixels).transpose(0, 3, 1, 2).astype(np.float32) / 255 - np.float32(MEAN).reshape(1, 3, 1, 1)) / \
                np.float32(STD).reshape(1, 3, 1, 1)
            files.append(os.path.join(work, f"imagenet_{start}.npz"))
            np.savez(files[-1], x=x.astype(np.float32), y=np.array([int(os.path.basename(name)[:4]) for name in part]))
    found = lua(
        """
        local model, right, near, count = prune.load(arg[1]), 0, 0, 0
        for index = 2, #arg do
          local data = prune.data.npz(arg[index])
          local report = model:evaluate(data, {metrics = {"accuracy", "top5"}, batch_size = 10})
          right, near, count = right + report.accuracy * #data, near + report.top5 * #data, count + #data
        end
        print(100 * right / count, 100 * near / count)
        """, f"{shared}/models/mobilenet_v2/mobilenet_v2_imagenet.onnx", *files)
    report(f"mobilenet_v2, {len(names):,} images, top-1 / top-5 %", [float(x) for x in found], (82.4, 96.2), 0.11)


def ranks(values):
    """Ranks, ties sharing their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def similarity():
    """In parts of 100 pairs."""
    tokens, embeddings, parts = os.path.join(work, "tokens.npz"), os.path.join(work, "embeddings.npz"), {}
    with np.load(f"{shared}/data/stsb/stsb_test_tokens.npz") as stored:
        scores = stored["score"]
        starts = range(0, len(scores), 100)
        for name in ["ids_a", "mask_a", "ids_b", "mask_b"]:
            for part, start in enumerate(starts):
                parts[f"{name}_{part}"] = stored[name][start:start + 100].astype(np.int64)
                parts[f"kinds_{part}"] = np.zeros_like(parts[f"{name}_{part}"])
    np.savez(tokens, **parts)
    lua(
        """
        local model, t, results = prune.load(arg[1]), prune.npz.load(arg[2]), {}
        for part = 0, arg[4] - 1 do
          for _, side in ipairs{"a", "b"} do
            local name = ("_%s_%d"):format(side, part)
            local ids, mask = t["ids" .. name], t["mask" .. name]
            results[side .. part] = model:run{
              input_ids = t["ids" .. name], attention_mask = t["mask" .. name], token_type_ids = t["kinds_" .. part],
            }.sentence_embedding
          end
        end
        prune.npz.save(arg[3], results)
        """, minilm, tokens, embeddings, str(len(starts)))
    with np.load(embeddings) as stored:
        a, b = (np.concatenate([stored[f"{side}{part}"] for part in range(len(starts))]) for side in "ab")
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    found = float(np.corrcoef(ranks(cosine), ranks(scores))[0, 1])
    report("minilm_l6_v2, STS-B test, Spearman's rho", [found], [0.8203], 0.0005)


cifar10()
imagenet()
if minilm:
    similarity()
print("as stated" if failures == 0 else f"{failures} are not as stated")
sys.exit(failures != 0)
