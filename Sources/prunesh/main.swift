import CPruneLua
import Glibc
import PruneABI

// The program `prune`. Everything that touches Lua is C in CPruneLua, under protected calls: a Lua error is a longjmp, and
// one over a Swift frame would skip its releases.
var editor = prune_shell_editor(
  read: { prompt, initial, interrupted in LineEditor.read(prompt, initial, interrupted) },
  load_history: { path in LineEditor.loadHistory(path) },
  add_history: { entry in LineEditor.addHistory(entry) })
exit(prune_shell_main(CommandLine.argc, CommandLine.unsafeArgv, &editor))
