#!/usr/bin/env python3
"""Drives the prompt of `prune` through a pseudo-terminal, and its command line through pipes: repl_session.py PROGRAM"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

PROGRAM = os.path.abspath(sys.argv[1])
HOME = tempfile.mkdtemp()
results = {"passed": 0, "failed": 0}


def environment(**changes):
    wanted = {"PATH": os.environ["PATH"], "HOME": HOME, "TERM": "xterm", "LANG": "C.UTF-8", "INPUTRC": "/dev/null"}
    wanted.update(changes)
    return wanted


def check(name, condition, detail=""):
    results["passed" if condition else "failed"] += 1
    if not condition:
        print(f"FAILED {name}\n  {detail!r}", file=sys.stderr)


class Session:
    """A prompt on a pseudo-terminal."""

    def __init__(self, *arguments, **changes):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(PROGRAM, [PROGRAM, *arguments], environment(**changes))
        self.text = ""

    def read_until(self, pattern, seconds=60):
        """What came up to a match of the pattern; fails after so many seconds."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.text)
            if found:
                before, self.text = self.text[: found.end()], self.text[found.end():]
                return before
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            try:
                data = os.read(self.fd, 65536) if ready else b""
            except OSError:
                data = b""
            if not data:
                raise AssertionError(f"waited for {pattern!r}, got {self.text!r}")
            self.text += data.decode("utf-8", "replace")

    def send(self, text):
        os.write(self.fd, text.encode())

    def ask(self, line, pattern=r"prune> $"):
        """Enters a line; what is shown until the next prompt, without the echo and escape sequences."""
        self.send(line + "\r")
        shown = self.read_until(pattern)
        shown = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", shown).replace("\r", "")
        return shown

    def close(self, text="\x04"):
        self.send(text)
        return self.wait()

    def wait(self):
        while True:
            try:
                if not os.read(self.fd, 65536):
                    break
            except OSError:
                break
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def case(body):
    try:
        body()
    except AssertionError as problem:
        check(body.__name__, False, str(problem))
    return body


def run(*arguments, stdin="", **changes):
    done = subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, text=True, env=environment(**changes))
    return done.returncode, done.stdout, done.stderr



@case
def evaluates_and_prints():
    session = Session()
    banner = session.read_until(r"prune> $")
    check("banner", "libprune" in banner, banner)
    check("expression", "42\n" in session.ask("6 * 7"))
    check("last result", "43\n" in session.ask("_ + 1"))
    check("nothing for statements", re.search(r"x = 1\n+prune> $", session.ask("x = 1")) is not None)
    check("semicolon silences", "99" not in session.ask("98 + 1;").replace("98 + 1", ""))
    check("equals sign", "5\n" in session.ask("= 2 + 3"))
    check("nil", "nil\n" in session.ask("nothing"))
    check("tables are shown sorted", '{1, 2, a = "x", b = {true}}' in session.ask('{1, 2, b = {true}, a = "x"}'))
    check("tensors", "[int64 2x2]" in session.ask("prune.tensor{{1, 2}, {3, 4}}"))
    check("data sets", "1797 samples" in session.ask("prune.data.digits()"))
    check("locals live on", "8\n" in (session.ask("local y = 7"), session.ask("y + 1"))[1])
    shown = session.ask("prune.data.digits():split{tset = 0.2}")
    check("errors are one line", "did you mean 'test'?" in shown and "traceback" not in shown, shown)
    check("the prompt is still there", "1\n" in session.ask("1"))
    check("help", "Trains the model in place" in session.ask("? fit"))
    check("help of a function", "Splits in two" in session.ask("help(prune.data.digits().split)"))
    check("dot help", "prune.load(path, options)" in session.ask(".help"))
    check("help as a word", "prune.load(path, options)" in session.ask("help"))
    shown = session.ask("help m.prune")
    check("help of a method without quotes", "Model:prune{...}" in shown and "syntax error" not in shown, shown)
    check("unknown command", "no command '.foo'" in session.ask(".foo"))
    check("timing", "timing is on" in session.ask(".timing on"))
    check("timed", re.search(r"\d\.\d{3} s, processor", session.ask("1")) is not None)
    check("leaves with 0", session.close() == 0)
    for word in ["quit", "exit", "quit()"]:
        session = Session()
        session.read_until(r"prune> $")
        check(f"{word} leaves", session.close(word + "\r") == 0)


@case
def reads_several_lines():
    session = Session()
    session.read_until(r"prune> $")
    session.send("for i = 1, 2 do\r")
    session.read_until(r"\.\.> ")
    session.send("print(i * 11)\r")
    session.read_until(r"\.\.> ")
    shown = session.ask("end")
    check("loop", "11" in shown and "22" in shown, shown)
    session.send("f = {\r")
    session.read_until(r"\.\.> ")
    session.send("\x03")
    session.read_until(r"prune> $")
    check("given up", "nil\n" in session.ask("f"))
    shown = session.ask("x = = 1")
    check("syntax errors", "unexpected symbol" in shown or "syntax error" in shown, shown)
    check(".quit has a status", session.close(".quit 7\r") == 7)


@case
def completes():
    session = Session()
    session.read_until(r"prune> $")
    session.ask("d = prune.data.digits()")
    for typed, wanted in [
        ("prune.ver", "prune.version"),
        ("d:sp", "d:split"),
        ("d.class_c", "d.class_count"),
        ("prune.data.dig", "prune.data.digits"),
        ("repea", "repeat"),
        ("d:split{se", "d:split{seed="),
        ("prune.zoo.mlp{activation = \"tan", 'prune.zoo.mlp{activation = "tanh"'),
        (".tim", ".timing"),
        ('later:prune{granularity="chan', 'later:prune{granularity="channel"'),
        ("? crit", "? criteria"),
        ("help 'strategy.pen", "help 'strategy.penalty"),
        (".timing of", ".timing off"),
        (".onc", ".once"),
    ]:
        session.send(typed + "\t")
        shown = session.read_until(re.escape(wanted))
        session.send("\x03")
        session.read_until(r"prune> $")
        check(f"completes {typed}", wanted in shown, shown)
    folder = tempfile.mkdtemp()
    open(os.path.join(folder, "digits.onnx"), "w").close()
    session.send(f'prune.load("{folder}/dig\t')
    check("file names", "digits.onnx" in session.read_until(r"digits\.onnx"))
    session.send("\x03")
    session.read_until(r"prune> $")
    session.send(f".load {folder}/dig\t")
    check("file names of commands", "digits.onnx" in session.read_until(r"digits\.onnx"))
    session.send("\x03")
    session.read_until(r"prune> $")
    session.close()


@case
def prints_elsewhere():
    folder = tempfile.mkdtemp()
    session = Session()
    session.read_until(r"prune> $")
    path = os.path.join(folder, "out.txt")
    session.ask(f".once {path}")
    check("once goes to the file", "prune> 42" not in session.ask("6 * 7") and open(path).read() == "42\n", open(path).read())
    check("and the next to the terminal", "43\n" in session.ask("42 + 1"))
    session.ask(f".output {path}")
    session.ask("print('a', 1)")
    session.ask("prune.zoo.mlp{input = {4}, hidden = {2}, classes = 2}:summary()")
    session.ask(".output")
    text = open(path).read()
    check("output stays", text.startswith("a\t1\n") and "Output shape" in text and "\x1b" not in text, text)
    check("output ends", "7\n" in session.ask("3 + 4"))
    check("a file that cannot be", "No such file" in session.ask(".output /no/such/folder/x"))
    check("commands of the system", "hello\n" in session.ask("!echo hello"))
    check("their failure is told", "ended with 3" in session.ask("!exit 3"))
    check(".help lists the commands", ".output [FILE]" in session.ask(".help"))
    session.close()


@case
def runs_the_users_own_file():
    folder = tempfile.mkdtemp()
    os.makedirs(os.path.join(folder, "prune"))
    with open(os.path.join(folder, "prune", "init.lua"), "w") as file:
        file.write("mine = 12\nprint 'ready'\n")
    session = Session(XDG_CONFIG_HOME=folder)
    check("init.lua runs", "ready" in session.read_until(r"prune> $"))
    check("and what it made is there", "12\n" in session.ask("mine"))
    session.close()
    session = Session("--no-init", XDG_CONFIG_HOME=folder)
    check("unless told otherwise", "ready" not in session.read_until(r"prune> $"))
    session.close()
    with open(os.path.join(folder, "prune", "init.lua"), "w") as file:
        file.write("x = = 1")
    session = Session(XDG_CONFIG_HOME=folder)
    check("its mistakes are told", "init.lua:1" in session.read_until(r"prune> $"))
    check("and the prompt is there", "2\n" in session.ask("1 + 1"))
    session.close()


@case
def opens_a_model():
    path = os.path.join(tempfile.mkdtemp(), "net.onnx")
    run("-e", f"prune.zoo.lenet5{{input = {{1, 8, 8}}, classes = 10}}:save {path!r}")
    session = Session(path)
    shown = session.read_until(r"prune> $")
    check("the model is told about", 'm = Model "lenet5", 4 layers with weights' in shown and "131,080 parameters" in shown, shown)
    check("and is m", "4\n" in session.ask("#m"))
    session.close()


@case
def shows_long_texts_in_a_pager():
    session = Session(PRUNE_PAGER="sed s/^/paged:/")
    fcntl.ioctl(session.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 70, 0, 0))
    session.read_until(r"prune> $")
    shown = session.ask("help()")
    check("long help is paged", "paged:libprune" in shown, shown[:200])
    lines = [line[6:] for line in shown.split("\n") if line.startswith("paged:")]
    check("and fits the terminal", lines and max(map(len, lines)) <= 70, max(lines, key=len, default=""))
    check("short help is not", "paged:" not in session.ask("help 'Tensor.rank'"))
    check("words are looked for", "Model:quantize" in session.ask("help 'zero point'") and "macs" in session.ask("? flops"))
    session.close()
    session = Session(PRUNE_PAGER="true")
    fcntl.ioctl(session.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 70, 0, 0))
    session.read_until(r"prune> $")
    session.ask("help()")
    check("a pager that leaves early is no end", "4\n" in session.ask("2 + 2"))
    session.close()


@case
def shows_progress():
    session = Session()
    session.read_until(r"prune> $")
    session.ask("d = prune.data.digits()")
    session.ask("m = prune.zoo.lenet5{classes = 10, input = {1, 8, 8}}")
    session.send("for i = 1, 1 do m:sensitivity{data = d, amounts = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}} end\r")
    shown = session.read_until(r"prune> $")
    check("layers and a bar in one line", re.search(r"\rsensitivity [█░]+ \d/4  (conv|fc)\d.*eta", shown) is not None, shown)
    check("which goes away", shown.rstrip().endswith("prune>") and "\n" not in shown[shown.find("\rsens"):shown.rfind("\r\x1b[K")], shown)
    session.send("x = m:predict(d); for i = 1, 1 do m:significance{data = d, criterion = 'hessian', batch_size = 4} end\r")
    shown = session.read_until(r"prune> $")
    check("the time of what has no steps", re.search(r"\rsignificance  \d+\.\d s", shown) is not None, shown)
    shown = session.ask("s, r = m:prune{amount = 0.9, guard = {data = d, max_drop = 0}}")
    check("what was not done is told", "note:" not in shown or "the guard" in shown, shown)
    shown = session.ask("s, r = m:prune{granularity = 'channel', amount = 0.0001}")
    check("nothing removed is told", "note: nothing was removed" in shown, shown)
    session.close()


@case
def clears_the_line():
    session = Session()
    session.read_until(r"prune> $")
    session.send("error('no')\x03")
    session.read_until(r"prune> $")
    check("nothing ran", "4\n" in session.ask("2 + 2"))
    check("leaves with 0 after that", session.close() == 0)


@case
def interrupts_loops():
    session = Session()
    session.read_until(r"prune> $")
    session.send("while true do end\r")
    time.sleep(0.5)
    session.send("\x03")
    session.read_until(r"interrupted")
    session.read_until(r"prune> $")
    check("prompt after a loop", "4\n" in session.ask("2 + 2"))
    for loop in ["while true do pcall(error) end", "pcall(function() while true do end end) while true do end"]:
        session.send(loop + "\r")
        time.sleep(0.5)
        session.send("\x03")
        time.sleep(0.2)
        session.send("\x03")
        session.read_until(r"interrupted")
        session.read_until(r"prune> $")
        check(f"twice ends {loop}, the prompt goes on", "4\n" in session.ask("2 + 2"))
    # Made before the press, a coroutine has no hook of its own.
    session.send("coroutine.wrap(function() while true do end end)()\r")
    time.sleep(0.5)
    for _ in range(5):
        session.send("\x03")
        time.sleep(0.1)
    check("five times ends what does not answer with 130", session.wait() == 130)


@case
def interrupts_a_fit():
    session = Session()
    session.read_until(r"prune> $")
    session.ask("train, test = prune.data.digits():split{test = 0.2, seed = 7}")
    session.ask("m = prune.zoo.lenet5{classes = 10, input = {1, 8, 8}}")
    session.send("m:fit{data = train, epochs = 100000}\r")
    session.read_until(r"epoch 1/100000")
    session.read_until(r"epoch 2/100000")
    session.send("\x03")
    session.read_until(r"interrupted", 10)
    session.read_until(r"prune> $")
    shown = session.ask("m:evaluate(test).accuracy > 0.3")
    check("the model is usable and has learnt", "true\n" in shown, shown)
    shown = session.ask("#m:fit{data = train, epochs = 1}.epochs")
    check("and trains on", "1\n" in shown, shown)
    session.close()


@case
def keeps_history():
    path = os.path.join(HOME, "state", "history")
    session = Session(PRUNE_HISTORY=path)
    session.read_until(r"prune> $")
    session.ask("first = 123")
    session.send("g = {\r")
    session.read_until(r"\.\.> ")
    session.ask("}")
    session.close()
    check("private", os.stat(path).st_mode & 0o777 == 0o600)
    session = Session(PRUNE_HISTORY=path)
    session.read_until(r"prune> $")
    session.send("\x1b[A\x1b[A")
    session.read_until(r"first = 123")
    session.send("\x15")
    session.close()
    session = Session(PRUNE_HISTORY="")
    session.read_until(r"prune> $")
    session.ask("second = 1")
    session.close()
    check("none when empty", "second" not in open(path).read())


@case
def colours():
    session = Session()
    session.read_until(r"prune> $")
    session.send("help 'fit'\r")
    check("colour on a terminal", "\x1b[1" in session.read_until(r"prune> $"))
    session.close()
    session = Session(NO_COLOR="1")
    session.read_until(r"prune> $")
    session.send("help 'fit'\r")
    check("NO_COLOR", "\x1b[1" not in session.read_until(r"prune> $"))
    session.close()
    session = Session("-q", "--color=never")
    check("no banner", "libprune" not in session.read_until(r"prune> $"))
    session.close()


@case
def command_line():
    check("-e", run("-e", "print(1 + 1)") == (0, "2\n", ""))
    check("-e twice", run("-e", "x = 1", "-e", "print(x)")[1] == "1\n")
    check("stdin is a script", run(stdin="print(prune.version)\n6 * 7")[0] == 1)
    check("- is stdin", run("-", "a", stdin="print(..., arg[1], arg[0])")[1] == "a\ta\t-\n")
    check("version", run("-v")[1].startswith("libprune "))
    check("help", run("--help")[1].startswith("usage: prune"))
    code, out, problem = run("-x")
    check("usage", code == 2 and "unknown option '-x'" in problem and out == "", problem)
    check("missing argument", run("-e")[0] == 2)
    check("wrong colour", run("--color=maybe")[0] == 2)
    check("-l", run("-l", "string", "-e", "print(string.rep('a', 2))")[1] == "aa\n")
    check("-l name", run("-l", "p=prune", "-e", "print(p == prune)")[1] == "true\n")
    check("-l missing", run("-l", "no_such_module")[0] == 1)
    check("no help global in scripts", run("-e", "print(help)")[1] == "nil\n")
    check("-i reads on", "libprune" in run("-e", "x = 5", "-i", stdin="x + 1\n")[1])
    check("-i results", "6\n" in run("-q", "-e", "x = 5", "-i", stdin="x + 1\n")[1])
    code, out, problem = run("-e", "error 'no'")
    check("errors", code == 1 and "no" in problem and "traceback" in problem, problem)
    code, out, problem = run("-e", "prune.load 'no-such-file'")
    check("library errors", code == 1 and problem.count("\n") == 1 and "io: " in problem, problem)
    check("syntax errors", run("-e", "x = = 1")[0] == 1)
    check("missing script", run("no-such-script.lua")[0] == 1)
    check("os.exit", run("-e", "os.exit(5)")[0] == 5)
    check("no colour in a pipe", "\x1b" not in run("-e", "prune.help 'fit'")[1])
    check("colour when asked", "\x1b[1" in run("--color=always", "-e", "prune.help 'fit'")[1])
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("#!/usr/bin/env prune\nprint(arg[0] == %r, ..., #arg)\nlocal prune = require 'prune'\n" % script.name)
        script.flush()
        check("script arguments", run(script.name, "a", "-e")[1] == "true\ta\t2\n", run(script.name, "a", "-e"))


@case
def an_interrupted_prune_gives_its_kept_steps():
    session = Session()
    session.read_until(r"prune> $")
    session.ask("train = prune.data.digits()")
    session.ask("m = prune.zoo.mlp{input = {1, 8, 8}, hidden = {32}, seed = 1}")
    session.send("s, r = m:prune{amount = 0.9, schedule = {kind = 'linear', steps = 50}, recover = {data = train, epochs = 30, lr = 1e-3}}\r")
    time.sleep(3)
    session.send("\x03")
    session.read_until(r"interrupted", 20)
    session.read_until(r"prune> $")
    shown = session.ask("r.stopped and s:stats().sparsity > 0")
    check("what was kept is there", "true\n" in shown, shown)
    session.close()


@case
def scripts_are_interrupted():
    with subprocess.Popen([PROGRAM, "-e", "while true do end"], stderr=subprocess.PIPE, env=environment()) as process:
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, problem = process.communicate(timeout=30)
        check("130", process.returncode == 130 and b"interrupted" in problem, problem)


print(f"{results['passed']} passed, {results['failed']} failed")
sys.exit(results["failed"] != 0)
