/// Why a call failed. The raw values are `prune_status` of prune.h and never change meaning.
package enum Status: Int32, Sendable {
  case ok = 0
  /// An argument is missing, out of range or of another kind.
  case invalidArgument = -1
  /// A file could not be opened, read or written.
  case io = -2
  /// The bytes are not what the format says.
  case badFormat = -3
  /// The graph breaks the rules of its own standard: cycles, dangling values, wrong types.
  case invalidModel = -4
  /// Shapes or types of two things do not go together.
  case mismatch = -5
  /// An operator, attribute, dtype or option this build cannot do.
  case unsupported = -6
  /// Nothing of that name.
  case notFound = -7
  /// The caller asked to stop.
  case cancelled = -8
  case outOfMemory = -9
  /// A guard or a certificate refused the result.
  case refused = -10
  /// NaN or infinity where numbers were needed.
  case numeric = -11
  /// A bug of libprune.
  case `internal` = -12
}

/// The one error of the library: what failed, where, and what to do about it.
///
/// `message` names the object, what was found and what was wanted; `place` is the node, file or offset it happened at;
/// `hint` says what to do, and may be empty.
package struct PruneError: Error, Sendable, CustomStringConvertible {
  package var status: Status
  package var message: String
  package var place: String
  package var hint: String

  package init(_ status: Status, _ message: String, at place: String = "", hint: String = "") {
    self.status = status
    self.message = message
    self.place = place
    self.hint = hint
  }

  /// The same error, with the outer place it happened in, unless it already names one.
  package func located(at outer: String) -> PruneError {
    var copy = self
    if copy.place.isEmpty { copy.place = outer }
    return copy
  }

  package var description: String {
    (place.isEmpty ? "" : "\(place): ") + message + (hint.isEmpty ? "" : " (\(hint))")
  }
}
