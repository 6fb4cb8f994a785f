import CPrune
import PruneTensor

/// An options struct of prune.h.
protocol OptionsOfC {
  static var name: String { get }
  /// Every field as the INIT macro sets it.
  static var defaults: Self { get }
  var struct_size: UInt32 { get set }
  var struct_tag: UInt32 { get }
}

/// PRUNE_NOT_GIVEN: the caller did not set this number.
let notGiven = -Double.greatestFiniteMagnitude

/// Reads an options struct of this version or an earlier one: fields that the caller's header did not have get their
/// defaults. NULL is all defaults.
/// - Throws: `.invalidArgument` for a struct that was not initialized, `.unsupported` for one of a newer header.
func options<T: OptionsOfC & BitwiseCopyable>(_ pointer: UnsafePointer<T>?, at place: String = "") throws(PruneError)
  -> T
{
  var result = T.defaults
  guard let pointer else { return result }
  let raw = UnsafeRawPointer(pointer)
  let size = Int(raw.load(as: UInt32.self)), fullSize = MemoryLayout<T>.size
  // Safe: the tag is the second field, read only where the caller says that there is one.
  guard size >= 8, raw.load(fromByteOffset: 4, as: UInt32.self) == UInt32(PRUNE_STRUCT_TAG) else {
    throw PruneError(
      .invalidArgument, "the struct \(T.name) was not initialized (struct_size is \(size))", at: place,
      hint:
        "begin with \(T.name) options = \(T.name.uppercased())_INIT, or call \(T.name)_init(&options, sizeof options)")
  }
  guard size <= fullSize else {
    throw PruneError(
      .unsupported, "\(T.name) has \(size) bytes, this version of libprune knows \(fullSize) of them", at: place,
      hint: "the program was built for a newer libprune than \(versionText)")
  }
  // Safe: at most `fullSize` bytes are copied, and the caller promises struct_size of them.
  withUnsafeMutableBytes(of: &result) { $0.baseAddress?.copyMemory(from: raw, byteCount: size) }
  return result
}

/// An array of options structs, with the struct size of the caller's header.
func optionsList<T: OptionsOfC & BitwiseCopyable>(_ pointer: UnsafePointer<T>?, _ count: Int, _ name: String)
  throws(PruneError) -> [T]
{
  guard count >= 0, count < 1 << 20 else { throw PruneError(.invalidArgument, "\(name) cannot have \(count) elements") }
  guard let pointer else {
    if count == 0 { return [] }
    throw PruneError(.invalidArgument, "\(name) is NULL, but its count is \(count)")
  }
  var list: [T] = []
  var raw = UnsafeRawPointer(pointer)
  for index in 0..<count {
    let entry = try options(raw.assumingMemoryBound(to: T.self), at: "\(name)[\(index)]")
    // Safe: the caller promises `count` structs of the size that each gives.
    raw = raw.advanced(by: Int(raw.load(as: UInt32.self)))
    list.append(entry)
  }
  return list
}

/// What the …_init functions do: the defaults, as far as the caller's struct reaches.
func initialize<T: OptionsOfC & BitwiseCopyable>(_ options: UnsafeMutablePointer<T>?, _ size: Int) {
  guard let options, size >= 8 else { return }
  var defaults = T.defaults
  let count = min(size, MemoryLayout<T>.size)
  defaults.struct_size = UInt32(count)
  // Safe: the caller promises `size` bytes, of which at most the defaults' own are written.
  withUnsafeBytes(of: defaults) { bytes in
    if let base = bytes.baseAddress { UnsafeMutableRawPointer(options).copyMemory(from: base, byteCount: count) }
  }
}

/// What numbers an option takes.
enum NumberRange {
  case any, positive, nonnegative, fraction

  func contains(_ value: Double) -> Bool {
    switch self {
    case .any: value.isFinite
    case .positive: value > 0 && value.isFinite
    case .nonnegative: value >= 0 && value.isFinite
    case .fraction: value >= 0 && value <= 1
    }
  }

  var requirement: String {
    switch self {
    case .any: "a finite number"
    case .positive: "a number above 0"
    case .nonnegative: "a number of 0 or more"
    case .fraction: "a number in 0...1"
    }
  }
}

func number(_ value: Double, _ name: String, _ range: NumberRange) throws(PruneError) -> Double {
  guard range.contains(value) else {
    throw PruneError(.invalidArgument, "\(name) is \(value), wanted \(range.requirement)")
  }
  return value
}

/// Nil where the option was not given.
func optionalNumber(_ value: Double, _ name: String, _ range: NumberRange) throws(PruneError) -> Double? {
  value == notGiven ? nil : try number(value, name, range)
}

func count(_ value: UInt32, _ name: String, least: Int) throws(PruneError) -> Int {
  guard Int(value) >= least, value <= UInt32(Int32.max) else {
    throw PruneError(.invalidArgument, "\(name) is \(value), wanted \(least) to \(Int32.max)")
  }
  return Int(value)
}

/// One of the names that an option takes; nil where it was not given.
func choice(
  _ pointer: UnsafePointer<CChar>?, _ name: String, among names: [String]
) throws(PruneError) -> String? {
  guard let value = try optionalText(pointer, name) else { return nil }
  guard names.contains(value) else {
    throw PruneError(.invalidArgument, "\(name) is '\(value)'", hint: Suggestion.hint(for: value, among: names))
  }
  return value
}
