import PruneTensor

/// Samples and their targets. Never changes; what makes another one shares the bytes where it can.
///
/// Most models read one tensor: such a data set has one column without a name, `x`. A model of several inputs is fed
/// from columns that have the inputs' names.
package struct Dataset: Sendable {
  /// What one input of a model is fed from.
  package struct Column: Sendable {
    /// The input's name; empty for the only column of most data sets, which feeds the only input whatever its name.
    package let name: String
    /// [N, …], float32, uint8 or int64; of a stream no row of them, see `samples`.
    package let tensor: Tensor
    /// What makes the samples of a data set that is not in memory.
    package let stream: SampleStream?

    package init(name: String, tensor: Tensor) { (self.name, self.tensor, stream) = (name, tensor, nil) }

    package init(name: String, stream: SampleStream) throws(PruneError) {
      tensor = try Tensor(zeros: .float32, try Shape([0] + stream.source.sampleShape))
      (self.name, self.stream) = (name, stream)
    }

    package var dtype: DType { tensor.dtype }
    /// The number of samples and the extents of one.
    package var dims: [Int] { stream.map { [$0.count] + $0.source.sampleShape } ?? tensor.shape.dims }

    /// The samples at some positions, in that order.
    package func samples(at positions: some Collection<Int>) throws(PruneError) -> Tensor {
      if let stream { return try stream.samples(at: positions) }
      return try tensor.gatheringRows(positions)
    }

    /// All samples, read now where they are a stream.
    /// - Throws: `.outOfMemory`, and what reading throws.
    package func samples() throws(PruneError) -> Tensor {
      guard let stream else { return tensor }
      let bytes = dtype.byteCount(try Shape(dims).count) ?? 0
      do throws(PruneError) { try Storage.checkAvailable(byteCount: bytes) } catch {
        throw PruneError(
          .outOfMemory, "\(stream.count) samples of \(bytes) bytes in all do not fit in memory",
          hint: "take fewer of them")
      }
      return try stream.samples(at: 0..<stream.count)
    }
  }

  /// At least one, all of the same first extent, in the order of their names.
  package let columns: [Column]
  /// Class numbers, int64 [N]; a class for each position, int64 [N, …], of which -1 counts nowhere; or values, float32
  /// [N, …]; nil when there are none.
  package let y: Tensor?
  /// Number of classes when the targets are class numbers, one a sample.
  package let classCount: Int?
  /// What reports call it.
  package let name: String
  /// Where the channels of images are.
  package let layout: Layout
  /// What the classes are called, by their numbers; empty where nobody said.
  package let classNames: [String]

  /// The only column, or the first, of data in memory, as every batch is.
  package var x: Tensor { columns[0].tensor }
  package var count: Int { columns[0].dims.first ?? 0 }
  /// The shape of one sample of the first column.
  package var sampleShape: [Int] { Array(columns[0].dims.dropFirst()) }
  /// Whether samples are made when they are asked for.
  package var isStream: Bool { columns.contains { $0.stream != nil } }
  /// Whether columns are matched with a model's inputs by name.
  package var isNamed: Bool { columns.count > 1 || !columns[0].name.isEmpty }

  /// Used where the parts are known to fit.
  init(x: Tensor, y: Tensor?, classCount: Int?, name: String) {
    self.init(columns: [Column(name: "", tensor: x)], y: y, classCount: classCount, name: name)
  }

  /// Used where the parts are known to fit; `columns` is not empty.
  package init(
    columns: [Column], y: Tensor?, classCount: Int?, name: String, layout: Layout? = nil, classNames: [String] = []
  ) {
    self.columns = columns
    self.y = y
    self.classCount = classCount
    self.name = name
    self.layout = layout ?? Layout.guess(Array(columns[0].dims.dropFirst()))
    self.classNames = classNames
  }

  /// A data set of two arrays: x [N, …] float32, uint8 or int64 (other numbers are converted to float32), y integer
  /// class numbers [N], or floats [N, …], or nil. One-hot rows are class numbers.
  /// - Throws: `.mismatch` when the counts differ or a type does not fit, `.invalidArgument` for negative classes.
  package static func tensors(_ x: Tensor, _ y: Tensor?, name: String = "tensors") throws(PruneError) -> Dataset {
    guard x.shape.rank >= 1 else {
      throw PruneError(
        .mismatch, "x is a scalar", hint: "x holds one sample after the other: its first axis counts them")
    }
    let samples = [.float32, .uint8, .int64].contains(x.dtype) ? x : try x.cast(to: .float32)
    return try made([Column(name: "", tensor: samples)], y, name)
  }

  /// A data set for a model of several inputs, by their names: each [N, …], floats as float32, uint8 as it is, other
  /// integers and booleans as int64. y as above.
  /// - Throws: `.invalidArgument` without inputs or for an empty name, `.mismatch` when the counts differ.
  package static func tensors(
    inputs: [String: Tensor], _ y: Tensor?, name: String = "tensors"
  ) throws(PruneError) -> Dataset {
    var columns: [Column] = []
    for (input, tensor) in inputs.sorted(by: { $0.key < $1.key }) {
      guard !input.isEmpty else { throw PruneError(.invalidArgument, "an input of the data set has no name") }
      guard let count = tensor.shape.dims.first else {
        throw PruneError(
          .mismatch, "input '\(input)' of the data set is a scalar",
          hint: "an input holds one sample after the other: its first axis counts them")
      }
      if let first = columns.first, first.tensor.shape[0] != count {
        throw PruneError(
          .mismatch,
          "input '\(first.name)' has \(first.tensor.shape[0]) samples, '\(input)' is \(tensor.dtype.name) \(tensor.shape)",
          hint: "all need the same first extent")
      }
      let dtype: DType =
        tensor.dtype == .uint8 ? .uint8 : tensor.dtype.isInteger || tensor.dtype == .bool ? .int64 : .float32
      columns.append(Column(name: input, tensor: tensor.dtype == dtype ? tensor : try tensor.cast(to: dtype)))
    }
    guard !columns.isEmpty else { throw PruneError(.invalidArgument, "a data set wants at least one input") }
    return try made(columns, y, name)
  }

  private static func made(_ columns: [Column], _ y: Tensor?, _ name: String) throws(PruneError) -> Dataset {
    let count = columns[0].tensor.shape[0]
    guard let y else { return Dataset(columns: columns, y: nil, classCount: nil, name: name) }
    guard y.shape.rank >= 1, y.shape[0] == count else {
      throw PruneError(
        .mismatch,
        "\(columns[0].name.isEmpty ? "x" : "'\(columns[0].name)'") has \(count) samples, y is \(y.dtype.name) \(y.shape)",
        hint: "both need the same first extent")
    }
    if y.dtype.isInteger || y.dtype == .bool {
      guard y.count == y.shape[0] else { return try dense(columns, y, name) }
      return try classes(columns, try y.cast(to: .int64).reshaped(try Shape([y.count])), name)
    }
    let values = try y.cast(to: .float32)
    if let numbers = try values.oneHotClasses() {
      return Dataset(columns: columns, y: try Tensor(numbers), classCount: y.shape.dims.last, name: name)
    }
    return Dataset(columns: columns, y: values, classCount: nil, name: name)
  }

  /// A data set of samples and class numbers.
  static func classes(_ x: Tensor, _ y: Tensor, _ name: String) throws(PruneError) -> Dataset {
    try classes([Column(name: "", tensor: x)], y, name)
  }

  private static func classes(_ columns: [Column], _ y: Tensor, _ name: String) throws(PruneError) -> Dataset {
    let largest = try y.withSpan(of: Int64.self) { span throws(PruneError) in
      var largest: Int64 = -1
      for index in span.indices {
        guard span[index] >= 0, span[index] < 1 << 24 else {
          throw PruneError(.invalidArgument, "sample \(index) has class \(span[index]), wanted 0 or more", at: name)
        }
        largest = max(largest, span[index])
      }
      return largest
    }
    return Dataset(columns: columns, y: y, classCount: Int(largest) + 1, name: name)
  }

  /// The samples at 0-based positions, in that order, copied together with their targets.
  /// - Throws: `.invalidArgument` for a position that is not there.
  package func batch(_ indices: ArraySlice<Int>) throws(PruneError) -> Dataset {
    try mapped { column throws(PruneError) in
      Column(name: column.name, tensor: try column.samples(at: indices))
    } targets: { y throws(PruneError) in
      try y.gatheringRows(indices)
    }
  }

  /// Samples first..<last, without a copy of data in memory.
  package func rows(_ first: Int, _ last: Int) throws(PruneError) -> Dataset {
    guard first >= 0, first <= last, last <= count else {
      throw PruneError(.invalidArgument, "rows \(first)..<\(last) of '\(name)' do not exist: there are \(count)")
    }
    return try mapped { column throws(PruneError) in
      Column(
        name: column.name,
        tensor: try column.stream == nil ? column.tensor.rows(first, last) : column.samples(at: first..<last))
    } targets: { y throws(PruneError) in
      try y.rows(first, last)
    }
  }

  /// The samples at 0-based positions, in that order, as a data set of its own: a stream stays one.
  /// - Throws: `.invalidArgument` for a position that is not there.
  package func selecting(_ indices: some Collection<Int>) throws(PruneError) -> Dataset {
    try mapped { column throws(PruneError) in
      guard let stream = column.stream else {
        return Column(name: column.name, tensor: try column.tensor.gatheringRows(indices))
      }
      return try Column(name: column.name, stream: try stream.selecting(indices))
    } targets: { y throws(PruneError) in
      try y.gatheringRows(indices)
    }
  }

  private func mapped(
    _ body: (Column) throws(PruneError) -> Column, targets: (Tensor) throws(PruneError) -> Tensor
  ) throws(PruneError) -> Dataset {
    var result: [Column] = []
    for column in columns { result.append(try body(column)) }
    var changed: Tensor?
    if let y { changed = try targets(y) }
    return Dataset(
      columns: result, y: changed, classCount: classCount, name: name, layout: layout, classNames: classNames)
  }

  /// The same with other samples in the one column, and other targets.
  package func replacing(x: Tensor, y: Tensor?) -> Dataset {
    Dataset(
      columns: [Column(name: columns[0].name, tensor: x)], y: y, classCount: classCount, name: name, layout: layout,
      classNames: classNames)
  }

  /// The same samples, said to be in another layout.
  package func declared(_ layout: Layout) -> Dataset {
    Dataset(columns: columns, y: y, classCount: classCount, name: name, layout: layout, classNames: classNames)
  }

  /// Whether targets look like probabilities of classes: rows of numbers from 0 to 1 that sum to 1.
  package var hasDistributions: Bool {
    guard let y, classCount == nil, y.dtype == .float32, y.shape.rank == 2, y.shape[1] > 1, count > 0 else {
      return false
    }
    let width = y.shape[1]
    let found = try? y.withSpan(of: Float.self) { span throws(PruneError) in
      for row in 0..<count {
        var sum: Float = 0
        for index in row * width..<(row + 1) * width {
          guard span[index] >= 0, span[index] <= 1 else { return false }
          sum += span[index]
        }
        if abs(sum - 1) > 1e-3 { return false }
      }
      return true
    }
    return found ?? false
  }

  /// Throws for a data set of several inputs, which `what` cannot work on.
  package func wantOneColumn(_ what: String, hint: String = "") throws(PruneError) {
    guard columns.count > 1 else { return }
    throw PruneError(
      .unsupported,
      "data set '\(name)' has \(columns.count) inputs (\(columns.map { "'\($0.name)'" }.joined(separator: ", "))), \(what) works on one",
      hint: hint)
  }
}

extension Tensor {
  /// The class of each row when every row of [N, C] is one 1 among zeros.
  func oneHotClasses() throws(PruneError) -> [Int64]? {
    guard shape.rank == 2, shape[1] > 1 else { return nil }
    let width = shape[1], count = shape[0]
    return try withSpan(of: Float.self) { span throws(PruneError) in
      var classes = [Int64](repeating: 0, count: count)
      for row in 0..<count {
        var ones = 0
        for column in 0..<width {
          let value = span[row * width + column]
          if value == 1 {
            ones += 1
            classes[row] = Int64(column)
          } else if value != 0 {
            return nil
          }
        }
        if ones != 1 { return nil }
      }
      return classes
    }
  }
}
