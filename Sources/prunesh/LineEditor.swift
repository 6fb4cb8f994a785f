import CPruneLua
import Glibc
@preconcurrency import CReadline

/// Reads lines through readline: editing, history, completion, Ctrl-C.
///
/// Readline's callbacks take no argument of ours, so what they share is static. One thread uses it, the main one.
enum LineEditor {
  /// Entries kept in the history file.
  private static let historyLimit: Int32 = 10_000
  /// What ends a word; dots and colons do not, so that `m:fi` completes as one.
  nonisolated(unsafe) private static let breaks = strdup(" \t\n\"'`@$><=;|&{}()[]+-*/%^~#,")
  nonisolated(unsafe) private static let stringBreaks = strdup("\"'")
  nonisolated(unsafe) private static let fileBreaks = strdup(" \t\"'")

  nonisolated(unsafe) private static var line: UnsafeMutablePointer<CChar>?
  nonisolated(unsafe) private static var isDone = false
  nonisolated(unsafe) private static var historyPath: String?
  nonisolated(unsafe) private static var isSetUp = false

  private static func setUp() {
    guard !isSetUp else { return }
    isSetUp = true
    // Safe: a C string that lives as long as the program.
    rl_readline_name = UnsafePointer(strdup("prune"))
    rl_attempted_completion_function = { text, start, end in LineEditor.complete(text, start, end) }
    rl_completion_word_break_hook = { LineEditor.wordBreaks() }
    // Readline's own handlers stay while we wait for keys: it restores the terminal for Ctrl-Z, follows its size, and
    // passes Ctrl-C on to ours.
    rl_persistent_signal_handlers = 1
    // What the user's own inputrc says comes after this, and counts.
    rl_variable_bind("blink-matching-paren", "on")
    stifle_history(historyLimit)
    // Entries of several lines are told apart by the time stamps between them.
    history_comment_char = CChar(UInt8(ascii: "#"))
    history_write_timestamps = 1
  }

  /// A line without its end, malloc'ed; nil at the end of input, or after Ctrl-C with `interrupted` set.
  static func read(
    _ prompt: UnsafePointer<CChar>?, _ start: UnsafePointer<CChar>?, _ interrupted: UnsafeMutablePointer<Int32>?
  ) -> UnsafeMutablePointer<CChar>? {
    setUp()
    line = nil
    isDone = false
    prune_shell_prompt_begin()
    defer { prune_shell_prompt_end() }
    rl_callback_handler_install(prompt) { text in LineEditor.finish(text) }
    if let start, start.pointee != 0 {
      rl_insert_text(start)
      rl_redisplay()
    }
    while !isDone {
      let ready = prune_shell_prompt_wait()
      if ready > 0 { rl_callback_read_char() }
      if ready < 0 { rl_check_signals() }
      guard prune_shell_prompt_interrupted() == 0 || isDone else {
        abandonLine()
        interrupted?.pointee = 1
        return nil
      }
    }
    return line
  }

  private static func finish(_ text: UnsafeMutablePointer<CChar>?) {
    line = text
    isDone = true
    rl_callback_handler_remove()
  }

  /// Ctrl-C at the prompt: forgets what was typed and leaves the terminal as it was.
  private static func abandonLine() {
    rl_free_line_state()
    rl_callback_sigcleanup()
    rl_callback_handler_remove()
    fputs("\n", stdout)
    fflush(stdout)
  }

  static func loadHistory(_ path: UnsafePointer<CChar>?) {
    setUp()
    guard let path else { return }
    let file = String(cString: path)
    makeFolders(of: file)
    // The file is made here, for nobody else to read.
    let descriptor = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return }
    close(descriptor)
    read_history(file)
    history_truncate_file(file, historyLimit)
    historyPath = file
  }

  static func addHistory(_ entry: UnsafePointer<CChar>?) {
    guard let entry else { return }
    let count = history_length
    if count > 0, let last = history_get(history_base + count - 1)?.pointee.line, strcmp(last, entry) == 0 { return }
    add_history(entry)
    if let historyPath { append_history(1, historyPath) }
  }

  private static func makeFolders(of path: String) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: true).dropLast()
    var folder = path.hasPrefix("/") ? "" : "."
    for part in parts {
      folder += "/" + part
      mkdir(folder, 0o700)
    }
  }

  /// Completions from Lua; inside strings that are no option's, of file names.
  private static func complete(
    _ text: UnsafePointer<CChar>?, _ start: Int32, _ end: Int32
  ) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? {
    var append: Int32 = 0
    // The command itself is a word of the prompt's, what follows it is none.
    let isFile = isFileCommand && start > 0
    let words = isFile ? nil : prune_shell_complete(rl_line_buffer, start, end, &append)
    rl_completion_append_character = append
    if words == nil, isFile || prune_shell_in_string(rl_line_buffer, start) != 0 {
      rl_completion_append_character = 0
      return rl_completion_matches(text, rl_filename_completion_function)
    }
    rl_attempted_completion_over = 1
    return words
  }

  /// Whether the line is a command of the prompt that takes a file, or one of the system.
  private static var isFileCommand: Bool {
    guard let buffer = rl_line_buffer else { return false }
    let line = String(cString: buffer)
    return [".load ", ".output ", ".once ", "!"].contains { line.hasPrefix($0) }
  }

  private static func wordBreaks() -> UnsafeMutablePointer<CChar>? {
    if isFileCommand { return fileBreaks }
    return prune_shell_in_string(rl_line_buffer, rl_point) != 0 ? stringBreaks : breaks
  }
}
