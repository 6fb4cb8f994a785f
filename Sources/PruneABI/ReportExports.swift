import CPrune
import PruneEvaluation
import PruneGraph
import PruneTensor

/// Behind `prune_report`: a report or a list inside one. Children are made when asked for and freed with the root.
final class ReportBox: Box {
  static let kind = "report"
  let title: String
  let entries: [(key: String?, value: ReportValue)]
  /// The whole, for rendering: nil for lists.
  let report: Report?
  /// The report of a prune has more: the models of its steps, and a recipe to repeat it.
  var journal: Journal?
  private let isRoot: Bool
  private let strings = CStringArena()
  private var cached: [Int: (prune_report_entry, child: OpaquePointer?)] = [:]
  private(set) lazy var cTitle: UnsafePointer<CChar> = strings.string(title)

  struct Journal {
    let snapshots: [Int: Model]
    let recipe: String?
    let context: ContextBox?
  }

  init(_ report: Report, isRoot: Bool = true) {
    title = report.title
    entries = report.entries.compactMap { entry in
      if case .open = entry.value { nil } else { (key: entry.key, value: entry.value) }
    }
    self.report = report
    self.isRoot = isRoot
  }

  private init(list: [ReportValue], title: String) {
    self.title = title
    entries = list.map { (key: nil, value: $0) }
    report = nil
    isRoot = false
  }

  deinit {
    for entry in cached.values { if let child = entry.child { Handles.forget(child) } }
  }

  static func free(_ handle: OpaquePointer?) {
    // A child belongs to its root.
    guard let box = try? Handles.object(handle, ReportBox.self), box.isRoot else { return }
    Handles.free(handle, ReportBox.self)
  }

  /// The C view of entry `index`, made once.
  func entry(_ index: Int) throws(PruneError) -> prune_report_entry {
    guard index >= 0, index < entries.count else {
      throw PruneError(.notFound, "report has \(entries.count) entries, asked for number \(index)")
    }
    if let (entry, _) = cached[index] { return entry }
    let (key, value) = entries[index]
    var entry = prune_report_entry()
    var child: OpaquePointer?
    entry.struct_size = UInt32(MemoryLayout<prune_report_entry>.size)
    entry.key = key.map(strings.string)
    entry.number = .nan
    switch value {
    case .number(let number):
      entry.kind = PRUNE_REPORT_NUMBER
      entry.number = number
    case .integer(let integer):
      entry.kind = PRUNE_REPORT_INTEGER
      entry.integer = Int64(integer)
      entry.number = Double(integer)
    case .flag(let flag):
      entry.kind = PRUNE_REPORT_FLAG
      entry.integer = flag ? 1 : 0
      entry.number = flag ? 1 : 0
    case .text(let text), .drawing(let text):
      entry.kind = PRUNE_REPORT_TEXT
      entry.text = strings.string(text)
    case .report(let report):
      entry.kind = PRUNE_REPORT_REPORT
      child = Handles.make(ReportBox(report, isRoot: false))
      entry.child = child
    case .list(let list):
      entry.kind = PRUNE_REPORT_LIST
      child = Handles.make(ReportBox(list: list, title: key ?? ""))
      entry.child = child
    case .open: throw PruneError(.notFound, "'\(key ?? "")' is open")
    case .tensor(let tensor):
      entry.kind = PRUNE_REPORT_TENSOR
      child = Handles.make(TensorBox(tensor))
      entry.tensor = child
    }
    cached[index] = (entry, child)
    return entry
  }

  /// Entry by a dotted path. Keys may contain dots themselves: the longest key that fits is taken.
  func entry(path: String) throws(PruneError) -> prune_report_entry {
    var candidates: [(index: Int, rest: Substring)] = []
    for (index, entry) in entries.enumerated() {
      let name = entry.key ?? String(index)
      if path == name { return try self.entry(index) }
      if path.hasPrefix(name + ".") { candidates.append((index, path.dropFirst(name.count + 1))) }
    }
    for (index, rest) in candidates.sorted(by: { $0.rest.count < $1.rest.count }) {
      guard let child = try entry(index).child else { continue }
      if let entry = try? Handles.object(child, ReportBox.self).entry(path: String(rest)) { return entry }
    }
    throw PruneError(
      .notFound, "report has no '\(path)'", at: title,
      hint: "there are: \(entries.prefix(24).compactMap(\.key).joined(separator: ", "))")
  }
}

/// Hands a report to the caller, when wanted.
func give(_ report: Report, _ out: UnsafeMutablePointer<OpaquePointer?>?) {
  out?.pointee = Handles.make(ReportBox(report))
}

@_cdecl("prune_report_free") @implementation
public func prune_report_free(_ report: OpaquePointer!) { ReportBox.free(report) }

@_cdecl("prune_report_title") @implementation
public func prune_report_title(_ report: OpaquePointer!) -> UnsafePointer<CChar>! {
  (try? Handles.object(report, ReportBox.self))?.cTitle
}

@_cdecl("prune_report_count") @implementation
public func prune_report_count(_ report: OpaquePointer!) -> Int {
  (try? Handles.object(report, ReportBox.self))?.entries.count ?? 0
}

@_cdecl("prune_report_at") @implementation
public func prune_report_at(
  _ report: OpaquePointer!, _ index: Int, _ out_entry: UnsafeMutablePointer<prune_report_entry>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_entry, "out_entry")
    try write(
      try Handles.object(report, ReportBox.self).entry(index), out, size: out.pointee.struct_size, "prune_report_entry")
  }
}

@_cdecl("prune_report_find") @implementation
public func prune_report_find(
  _ report: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ out_entry: UnsafeMutablePointer<prune_report_entry>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_entry, "out_entry")
    try write(
      try Handles.object(report, ReportBox.self).entry(path: try text(path, "path")), out,
      size: out.pointee.struct_size, "prune_report_entry")
  }
}

@_cdecl("prune_report_number") @implementation
public func prune_report_number(
  _ report: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ out_number: UnsafeMutablePointer<Double>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_number, "out_number")
    let pathText = try text(path, "path")
    let entry = try Handles.object(report, ReportBox.self).entry(path: pathText)
    guard [PRUNE_REPORT_NUMBER, PRUNE_REPORT_INTEGER, PRUNE_REPORT_FLAG].contains(where: { $0 == entry.kind }) else {
      throw PruneError(.mismatch, "'\(pathText)' is not a number")
    }
    out.pointee = entry.number
  }
}

/// The report behind a handle that can be rendered.
private func renderable(_ handle: OpaquePointer?) throws(PruneError) -> Report {
  let box: ReportBox = try Handles.object(handle)
  return box.report ?? Report(title: "", entries: [(key: box.title, value: .list(box.entries.map(\.value)))])
}

@_cdecl("prune_tensor_to_text") @implementation
public func prune_tensor_to_text(
  _ tensor: OpaquePointer!, _ width: Int32, _ color: Int32, _ out_text: UnsafeMutablePointer<prune_buffer>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_text, "out_text")
    let map = try HeatMap(
      try Handles.object(tensor, TensorBox.self).tensor, columns: try columns(width), rows: color != 0 ? 96 : 48)
    try fill(out, with: Array(map.text(color: color != 0).utf8))
  }
}

@_cdecl("prune_tensor_draw") @implementation
public func prune_tensor_draw(_ tensor: OpaquePointer!, _ path: UnsafePointer<CChar>!) -> prune_status {
  call { () throws(PruneError) in
    try HeatMap(try Handles.object(tensor, TensorBox.self).tensor, columns: 320, rows: 320).save(try text(path, "path"))
  }
}

@_cdecl("prune_report_to_text") @implementation
public func prune_report_to_text(
  _ report: OpaquePointer!, _ width: Int32, _ color: Int32, _ out_text: UnsafeMutablePointer<prune_buffer>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_text, "out_text")
    try fill(out, with: Array(try renderable(report).text(color: color != 0, width: try columns(width)).utf8))
  }
}

/// A width in columns: 0 is 80.
func columns(_ width: Int32) throws(PruneError) -> Int {
  guard width >= 0, width <= 10_000 else { throw PruneError(.invalidArgument, "width is \(width), wanted 0 to 10000") }
  return width == 0 ? 80 : max(Int(width), 40)
}

@_cdecl("prune_report_save") @implementation
public func prune_report_save(_ report: OpaquePointer!, _ path: UnsafePointer<CChar>!) -> prune_status {
  call { () throws(PruneError) in
    let whole = try renderable(report)
    let box: ReportBox = try Handles.object(report)
    try whole.save(try text(path, "path"), madeBy: madeBy, recipe: box.journal?.recipe)
  }
}

@_cdecl("prune_report_to_text_as") @implementation
public func prune_report_to_text_as(
  _ report: OpaquePointer!, _ format: UnsafePointer<CChar>!, _ out_text: UnsafeMutablePointer<prune_buffer>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_text, "out_text")
    let whole = try renderable(report), kind = try ReportFormat("format", named: try text(format, "format"))
    let box: ReportBox = try Handles.object(report)
    try fill(out, with: try whole.bytes(kind, madeBy: madeBy, recipe: box.journal?.recipe))
  }
}

/// What files are marked with.
private var madeBy: String { "libprune \(versionText), \(Parallel.threads) threads, \(Machine.processor)" }

@_cdecl("prune_report_to_json") @implementation
public func prune_report_to_json(_ report: OpaquePointer!, _ out_json: UnsafeMutablePointer<prune_buffer>!)
  -> prune_status
{
  call { () throws(PruneError) in
    let out = try output(out_json, "out_json")
    try fill(out, with: Array(try renderable(report).json().utf8))
  }
}
