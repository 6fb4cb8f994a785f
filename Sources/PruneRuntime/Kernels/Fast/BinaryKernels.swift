import COneDNN
import CPruneSupport
import PruneGraph
import PruneTensor

/// Arithmetic on two float32 operands with broadcasting.
enum BinaryKernels: KernelFamily {
  static let name = "binary"
  static let kernels: [String: FastKernel] = {
    var table: [String: FastKernel] = [:]
    for (name, kind) in [
      ("Add", PS_BINARY_ADD), ("Sub", PS_BINARY_SUB), ("Mul", PS_BINARY_MUL), ("Div", PS_BINARY_DIV),
      ("Max", PS_BINARY_MAX), ("Min", PS_BINARY_MIN),
    ] {
      table[name] = kernel(kind)
    }
    return table
  }()

  private static func kernel(_ kind: ps_binary_kind) -> FastKernel {
    { (op: Dataflow.Op, emitter: any Emitter) throws(PruneError) -> Bool in
      if emitter.isFloat(op.input(0)) { return try emit(op, emitter, kind) }
      guard let same = integerKinds[kind.rawValue] else { return false }
      return try ElementKernels.pair(op, emitter, same)
    }
  }

  private static let integerKinds: [UInt32: ps_element_kind] = [
    PS_BINARY_ADD.rawValue: PS_ELEMENT_ADD, PS_BINARY_SUB.rawValue: PS_ELEMENT_SUB,
    PS_BINARY_MUL.rawValue: PS_ELEMENT_MUL,
    PS_BINARY_DIV.rawValue: PS_ELEMENT_DIV, PS_BINARY_MAX.rawValue: PS_ELEMENT_MAX,
    PS_BINARY_MIN.rawValue: PS_ELEMENT_MIN,
  ]

  private static func emit(_ op: Dataflow.Op, _ emitter: any Emitter, _ kind: ps_binary_kind) throws(PruneError) -> Bool
  {
    guard op.inputs.count == 2, let a = op.input(0), let b = op.input(1), let y = op.output(0), emitter.isFloat(a),
      emitter.isFloat(b), op.opset >= 7
    else { return false }
    let (aDims, bDims, dims) = (emitter.dims(a), emitter.dims(b), emitter.dims(y))
    if aDims == dims, bDims == dims, let shared = try sharedLayout(a, b, emitter, keepsZero: kind != PS_BINARY_DIV) {
      let (from, other) = (try emitter.buffer(a, in: shared), try emitter.buffer(b, in: shared))
      let target = try define(y, shared, (a, from), (b, other), op, emitter)
      emit(op, emitter, kind, from, other, target, [shared.byteCount / 4], [1], [1])
      return true
    }
    if try emitBlocked(op, emitter, kind, a, b, y) { return true }
    guard
      let walk = StridedWalk(dims, [StridedWalk.broadcast(aDims, to: dims), StridedWalk.broadcast(bDims, to: dims)])
    else { return false }
    let (from, other) = (try emitter.plain(a), try emitter.plain(b))
    let target = try define(
      y, nil, aDims == dims ? (a, from) : nil, bDims == dims ? (b, other) : nil, op, emitter)
    emit(op, emitter, kind, from, other, target, walk.dims, walk.strides[0], walk.strides[1])
    return true
  }

  /// An image in blocks of channels, and one number for all of it or for each channel: it stays as it lies.
  private static func emitBlocked(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ kind: ps_binary_kind, _ a: Int, _ b: Int, _ y: Int
  ) throws(PruneError) -> Bool {
    let dims = emitter.dims(y)
    for (image, other) in [(a, b), (b, a)] where dims.count == 4 && emitter.dims(image) == dims {
      guard let layout = try emitter.home(image).layout, !layout.isRowMajor, !layout.isPadded,
        let (block, tag) = [(16, dnnl_aBcd16b), (8, dnnl_aBcd8b)].first(where: { Layout(dims, tag: $0.1) == layout })
      else { continue }
      let small = emitter.dims(other)
      let source = try emitter.buffer(image, in: layout)
      let place: Int
      let walk: StridedWalk?
      if small.count <= 4, !small.contains(where: { $0 != 1 }) {
        place = try emitter.plain(other)
        walk = StridedWalk([dims.reduce(1, *)], [[1], [0]])
      } else if small.count == 4, small[1] == dims[1], small[2] == 1, small[3] == 1, let same = Layout(small, tag: tag)
      {
        place = try emitter.buffer(other, in: same)
        let (channels, pixels) = (dims[1], dims[2] * dims[3])
        walk = StridedWalk(
          [dims[0], channels / block, pixels, block],
          [[channels * pixels, block * pixels, block, 1], [small[0] == 1 ? 0 : channels, block, 0, 1]])
      } else {
        return false
      }
      guard let walk else { return false }
      let target =
        emitter.canOverwrite(image, in: op)
        ? emitter.define(y, layout: layout, over: source) : try emitter.define(y, layout: layout)
      if image == a {
        emit(op, emitter, kind, source, place, target, walk.dims, walk.strides[0], walk.strides[1])
      } else {
        emit(op, emitter, kind, place, source, target, walk.dims, walk.strides[1], walk.strides[0])
      }
      return true
    }
    return false
  }

  /// The blocked layout of one of two equally shaped operands; nil when both are row-major.
  private static func sharedLayout(_ a: Int, _ b: Int, _ emitter: any Emitter, keepsZero: Bool) throws(PruneError)
    -> Layout?
  {
    for value in [a, b] {
      guard let layout = try emitter.home(value).layout, !layout.isRowMajor else { continue }
      return layout.isPadded && !keepsZero ? nil : layout
    }
    return nil
  }

  private static func define(
    _ y: Int, _ layout: Layout?, _ a: (value: Int, buffer: Int)?, _ b: (value: Int, buffer: Int)?, _ op: Dataflow.Op,
    _ emitter: any Emitter
  ) throws(PruneError) -> Int {
    for case let operand? in [a, b] where emitter.canOverwrite(operand.value, in: op) {
      return emitter.define(y, layout: layout, over: operand.buffer)
    }
    return try emitter.define(y, layout: layout)
  }

  private static func emit(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ kind: ps_binary_kind, _ a: Int, _ b: Int, _ y: Int, _ dims: [Int],
    _ aStrides: [Int], _ bStrides: [Int]
  ) {
    emitter.emit(op.node.label, reads: [a, b], writes: [y]) { frame in
      var arguments = ps_binary_args()
      arguments.a = UnsafePointer(frame.pointer(a))
      arguments.b = UnsafePointer(frame.pointer(b))
      arguments.y = frame.pointer(y)
      arguments.kind = Int32(kind.rawValue)
      arguments.rank = Int32(dims.count)
      StridedWalk.fill(&arguments.dims, dims)
      StridedWalk.fill(&arguments.a_strides, aStrides)
      StridedWalk.fill(&arguments.b_strides, bStrides)
      return frame.step(arguments, ps_binary)
    }
  }
}

/// Several arrays walked together, with neighbouring axes merged where every array allows it.
struct StridedWalk {
  private(set) var dims: [Int]
  /// One list for each array.
  private(set) var strides: [[Int]]

  /// Nil when more axes remain than the kernels take, or there is nothing to walk.
  init?(_ dims: [Int], _ strides: [[Int]]) {
    guard !dims.contains(0), strides.allSatisfy({ $0.count == dims.count }) else { return nil }
    var merged: [Int] = []
    var mergedStrides = [[Int]](repeating: [], count: strides.count)
    for axis in dims.indices where dims[axis] != 1 {
      let isContinued =
        merged.last != nil
        && strides.indices.allSatisfy { index in
          mergedStrides[index][merged.count - 1] == strides[index][axis] * dims[axis]
        }
      if isContinued {
        merged[merged.count - 1] *= dims[axis]
        for index in strides.indices { mergedStrides[index][merged.count - 1] = strides[index][axis] }
      } else {
        merged.append(dims[axis])
        for index in strides.indices { mergedStrides[index].append(strides[index][axis]) }
      }
    }
    if merged.isEmpty {
      merged = [1]
      mergedStrides = mergedStrides.map { _ in [1] }
    }
    guard merged.count <= Int(PS_MAX_RANK) else { return nil }
    (self.dims, self.strides) = (merged, mergedStrides)
  }

  /// Strides of a dense array of `from` repeated to `dims`.
  static func broadcast(_ from: [Int], to dims: [Int]) -> [Int] {
    let dense = Layout.rowMajorStrides(from)
    let offset = dims.count - from.count
    return dims.indices.map { $0 < offset || from[$0 - offset] == 1 ? 0 : dense[$0 - offset] }
  }

  typealias Axes = (Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64)

  /// Writes a list into a C array of `PS_MAX_RANK` numbers.
  static func fill(_ target: inout Axes, _ values: [Int]) {
    // Safe: the tuple is PS_MAX_RANK numbers in a row, and no more are written.
    withUnsafeMutableBytes(of: &target) { bytes in
      let numbers = bytes.bindMemory(to: Int64.self)
      for (index, value) in values.prefix(numbers.count).enumerated() { numbers[index] = Int64(value) }
    }
  }
}
