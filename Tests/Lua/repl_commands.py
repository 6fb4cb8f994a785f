#!/usr/bin/env python3
"""One-shot commands, models on the command line and completion of `prune`: repl_commands.py PROGRAM"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.dom.minidom

PROGRAM = os.path.abspath(sys.argv[1])
WORK = tempfile.mkdtemp()
results = {"passed": 0, "failed": 0}


def check(name, condition, detail=""):
    results["passed" if condition else "failed"] += 1
    if not condition:
        print(f"FAILED {name}\n  {detail!r}", file=sys.stderr)


def run(*arguments, stdin="", **changes):
    environment = {"PATH": os.environ["PATH"], "HOME": WORK, "LANG": "C.UTF-8", "OMP_NUM_THREADS": "2", **changes}
    done = subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, text=True, env=environment, cwd=WORK, timeout=300)
    return done.returncode, done.stdout, done.stderr


code, out, problem = run(stdin="""
local train = prune.data.digits():split{test = 0.2, seed = 7}
local m = prune.zoo.lenet5{classes = 10, input = {1, 8, 8}, seed = 1}
m:fit{data = train, epochs = 3, batch_size = 32, lr = 2e-3, seed = 1}
m:save "net.onnx"
m:prune{amount = 0.5}:save "half.onnx"
""")
check("the network is made", code == 0, problem)

code, out, problem = run("info", "net.onnx")
check("info", code == 0 and 'Model "lenet5", 4 layers with weights' in out and "float32 [N,1,8,8]" in out and "131,080 parameters" in out, (out, problem))
code, out, _ = run("info", "net.onnx", "--json")
data = json.loads(out)
check("JSON on standard output", code == 0 and data["params"] == 131080 and data["schema"] == 1 and data["report"] == "stats", out)
code, out, _ = run("info", "--json", "net.onnx")
check("a model is never taken for the output", code == 0 and json.loads(out)["params"] == 131080, out)
check("summary", "Output shape" in run("summary", "net.onnx")[1])
code, out, _ = run("significance", "net.onnx", "--criterion", "l2", "--csv", "s.csv")
check("CSV to a file", code == 0 and out == "" and "\r\nlayers\r\nname,weights,mean" in open(WORK + "/s.csv", newline="").read(), out)
code, out, _ = run("evaluate", "net.onnx", "--data", "digits:part=test", "--metrics", "accuracy,recall,per_class", "--md")
check("evaluate with a list, as Markdown", code == 0 and "| accuracy | 0.9" in out and "## classes" in out, out)
code, out, problem = run("evaluate", "net.onnx")
check("data is asked for", code == 2 and "needs --data" in problem and "DATA is one of" in problem, problem)

code, out, problem = run("prune", "net.onnx", "-o", "slim.onnx", "--granularity", "channel", "--target", "macs=0.5", "--data",
                         "digits:part=train", "--recover", "epochs=1,lr=1e-3", "--recover.seed", "3", "--html", "slim.html")
check("prune", code == 0 and os.path.exists(WORK + "/slim.onnx"), (out, problem))
page = open(WORK + "/slim.html").read()
check("the page stands alone", "<svg" in page and "<script" not in page and "src=" not in page and "href=" not in page)
xml.dom.minidom.parseString(page.replace("<!DOCTYPE html>", ""))
code, out, _ = run("prune", "net.onnx", "--amount", "0.99", "--guard", "data=digits:part=test,max_drop=0")
check("a guard that takes it back is status 3, on the first line", code == 3 and "the guard" in out.splitlines()[0], out[:300])
code, out, problem = run("prune", "net.onnx", "--amont", "0.5")
check("did you mean", code == 2 and "did you mean 'amount'?" in problem, problem)
code, out, problem = run("prune", "net.onnx", "--amount", "lots")
check("types", code == 2 and "--amount wants number" in problem, problem)
code, out, problem = run("prune", "net.onnx", "--target", "mcas=0.5")
check("types of parts", code == 2 and "did you mean 'macs'?" in problem, problem)
code, out, problem = run("prune", "missing.onnx", "--amount", "0.5")
check("failures are status 1", code == 1 and "missing.onnx" in problem, problem)
check("too many files", run("prune", "net.onnx", "half.onnx", "--amount", "0.5")[0] == 2)

code, out, problem = run("quantize", "net.onnx", "-o", "int8.onnx", "--calibration", "digits:take=50", "-q")
check("quantize", code == 0 and out == "" and os.path.exists(WORK + "/int8.onnx"), (out, problem))
code, out, problem = run("bench", "net.onnx", "--runs", "3", "--json")
check("bench", code == 0 and json.loads(out)["runs"] == 3, problem)
code, out, problem = run("bench", "net.onnx", "slim.onnx")
check("bench of two takes turns", code == 0 and "min_ms" in out and "slim.onnx" in out and "accuracy" not in out, (out, problem))
code, out, problem = run("compare", "net.onnx", "slim.onnx", "int8.onnx", "--data", "digits:part=test", "--csv")
check("compare", code == 0 and "label,accuracy,loss" in out and "int8.onnx" in out, (out, problem))
check("convert", run("convert", "half.onnx", "half.prunez") == (0, "", "") and os.path.exists(WORK + "/half.prunez"))
code, out, problem = run("diff", "half.onnx", "half.prunez")
check("diff of the same", code == 0 and "the same" in out, (out, problem))
code, out, problem = run("diff", "net.onnx", "half.onnx", "--json")
check("diff of two is status 3", code == 3 and json.loads(out)["same"] is False and json.loads(out)["weights"], problem)

code, out, _ = run("help", "prune")
check("help of a command", code == 0 and "--granularity" in out and "--on-step" not in out and "Exit status" in out, out)
check("help of a word", "prune.data.npz" in run("help", "data")[1])
check("--help of a command", "usage: prune quantize" in run("quantize", "--help")[1])
check("usage lists the commands", "significance" in run("--help")[1])

check("a model and standard input", run("net.onnx", stdin="print(m.name)")[1] == "lenet5\n")
check("a model and -e", run("net.onnx", "-e", "print(#m.outputs)")[1] == "1\n")
check("a packed model and a script", run("half.prunez", "-", "word", stdin="print(m.name, ...)")[1] == "lenet5\tword\n")
code, out, problem = run("no-such.onnx", stdin="print(1)")
check("a model that is not there", code == 1 and out == "" and "no-such.onnx" in problem, problem)
shutil.copy(WORK + "/net.onnx", WORK + "/nameless")
check("a model without a suffix", run("nameless", "-e", "print(m.name)")[1] == "lenet5\n")

log = os.path.join(WORK, "run.jsonl")
run("--log", log, stdin="prune.zoo.mlp{input = {1, 8, 8}, hidden = {8}}:fit{data = prune.data.digits(), epochs = 2}")
lines = [json.loads(line) for line in open(log)]
check("the log", [line["event"] for line in lines if line["event"] != "step"] == ["begin", "epoch", "epoch", "end"], lines)
check("the log has numbers", lines[-2]["call"] == "fit" and 0 < lines[-2]["loss"] < 10 and lines[-1]["seconds"] > 0, lines)

bash = run("completion", "bash")[1]
script = bash + """
COMP_WORDS=(prune "${@:1}"); COMP_CWORD=$#; _prune; printf '%s\\n' "${COMPREPLY[@]}"
"""
for words, wanted in [(["qua"], "quantize"), (["prune", "--gran"], "--granularity"), (["prune", "--schedule", "cu"], "cubic"),
                      (["help", "sig"], "significance"), (["quantize", "net"], "net.onnx")]:
    got = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, cwd=WORK)
    check(f"bash completes {words}", wanted in got.stdout.split(), (got.stdout, got.stderr))
if shutil.which("zsh"):
    zsh = run("completion", "zsh")[1]
    done = subprocess.run(["zsh", "-n"], input=zsh, capture_output=True, text=True)
    check("zsh reads its completion", done.returncode == 0, done.stderr)
check("no completion for fish", run("completion", "fish")[0] == 2)

code, out, problem = run("convert", "net.onnx", "net.h5", "--json", "net.json")
check("a conversion reports as it says", code == 0 and json.load(open(WORK + "/net.json"))["params"] == 131080, (out, problem))
check("the files of Keras are named", ".keras" in run("help", "convert")[1] and ".keras" in run("help", "prune")[1] and ".keras" in run("--help")[1])
code, out, problem = run("prune", "net.onnx", "--amount", "0.5")
check("without -o it is said first", code == 0 and "without -o FILE" in problem, problem)
code, out, problem = run("prune", "net.onnx", "--amount", "0.5", "--amount", "0.9", "-q")
check("an option given twice", code == 2 and "--amount is given twice" in problem, problem)
with open(WORK + "/d.csv", "w") as table:
    table.write("label," + ",".join(f"a{i}" for i in range(64)) + "\n")
    for row in range(40):
        table.write(f"{row % 10}," + ",".join(str((row * i) % 7) for i in range(64)) + "\n")
run("-e", "prune.zoo.mlp{input = {64}, hidden = {8}, classes = 10}:save 'mlp.onnx'")
code, out, problem = run("prune", "mlp.onnx", "--amount", "0.5", "-o", "m.onnx", "--recover",
                         "data=d.csv:label=label,mean=0.5,std=0.25,take=30,epochs=1,lr=1e-3")
check("data with options inside a table", code == 0 and os.path.exists(WORK + "/m.onnx"), (out, problem))
code, out, problem = run("inf", "net.onnx")
check("nearly a command", code == 2 and "did you mean 'info'?" in problem, problem)
code, out, problem = run("net.onnx", "--amount", "0.5")
check("options of a command after a model", code == 2 and "prune prune net.onnx --amount" in problem and problem.count("\n") == 2, problem)
code, out, problem = run("help", "nosuchthing")
check("help that there is not", code == 2 and out == "" and "nothing about" in problem, (out, problem))
check("help of a word that is nearly one", "did you mean 'channel" in run("help", "chanel")[2])
code, out, problem = run(stdin="prune.lod 'net.onnx'")
check("nearly a function", code == 1 and "did you mean 'prune.load'?" in problem, problem)
with open("/dev/full", "w") as full:
    done = subprocess.run([PROGRAM, "info", "net.onnx"], stdout=full, stderr=subprocess.PIPE, text=True, cwd=WORK)
check("a full disk is a failure", done.returncode == 1 and "No space" in done.stderr, done)
fit = subprocess.Popen([PROGRAM, "fit", "net.onnx", "-o", "fitted.onnx", "--data", "digits", "--epochs", "100000", "--lr", "1e-4"],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=WORK)
time.sleep(4)
fit.send_signal(signal.SIGINT)
out, problem = fit.communicate(timeout=60)
check("Ctrl-C keeps what was trained", fit.returncode == 130 and os.path.exists(WORK + "/fitted.onnx") and "fitted.onnx holds" in problem,
      (fit.returncode, problem))

shutil.rmtree(WORK)
print(f"{results['passed']} passed, {results['failed']} failed")
sys.exit(results["failed"] != 0)
