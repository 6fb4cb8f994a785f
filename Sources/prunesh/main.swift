import CPruneLua
import Glibc
import PruneABI

// The program `prune`. Everything that touches Lua is C in CPruneLua, under protected calls: a Lua error is a longjmp,
// and one over a Swift frame would skip its releases.

// OpenMP's idle threads spin for milliseconds by default, which on a busy machine costs many times the work itself.
// libgomp reads the setting only while it is loaded, hence the second start; when that fails, the first goes on.
if getenv("GOMP_SPINCOUNT") == nil, getenv("OMP_WAIT_POLICY") == nil {
  setenv("GOMP_SPINCOUNT", "1000", 1)
  execv("/proc/self/exe", CommandLine.unsafeArgv)
}

var editor = prune_shell_editor(
  read: { prompt, initial, interrupted in LineEditor.read(prompt, initial, interrupted) },
  load_history: { path in LineEditor.loadHistory(path) },
  add_history: { entry in LineEditor.addHistory(entry) })
exit(prune_shell_main(CommandLine.argc, CommandLine.unsafeArgv, &editor))
