import PruneGraph
import PruneTensor

/// Writing elements by index, replacing or combining with what is there.
enum Scattering {
  static let table: [String: Kernel] = [
    "Scatter": Kernel(.numbers) { (call) throws(PruneError) in [try elements(call)] },
    "ScatterElements": Kernel(.numbers) { (call) throws(PruneError) in [try elements(call)] },
    "ScatterND": Kernel(.numbers) { (call) throws(PruneError) in
      let indices = try call.tensor(1).shape
      let (offsets, length) = try Gathering.tupleOffsets(
        call, data: try call.tensor(0).shape, indices: indices, batch: 0)
      return [try write(call, offsets, length)]
    },
  ]

  private static func elements(_ call: KernelCall) throws(PruneError) -> Tensor {
    let offsets = try Gathering.elementOffsets(
      call, data: try call.tensor(0).shape, indices: try call.tensor(1).shape)
    return try write(call, offsets, 1)
  }

  private static func write(_ call: KernelCall, _ offsets: [Int], _ length: Int) throws(PruneError)
    -> Tensor
  {
    let (data, updates) = (try call.tensor(0), try call.tensor(2))
    guard updates.dtype == data.dtype, updates.count == offsets.count * length else {
      throw call.fail(
        "updates are \(updates.dtype.name) \(updates.shape), the data \(data.dtype.name) \(data.shape)"
      )
    }
    let reduction = call.node.string("reduction", default: "none")
    if reduction == "none" {
      return try Moves.scatter(updates, into: data, offsets: offsets, length: length)
    }
    switch data.dtype {
    case .float32: return try combine(call, reduction, offsets, length, Float.self)
    case .float64: return try combine(call, reduction, offsets, length, Double.self)
    case .int64: return try combine(call, reduction, offsets, length, Int64.self)
    case .uint64: return try combine(call, reduction, offsets, length, UInt64.self)
    default: throw call.unsupported("reduction '\(reduction)' of \(data.dtype.name)")
    }
  }

  private static func combine<T: Number>(
    _ call: KernelCall, _ reduction: String, _ offsets: [Int], _ length: Int, _: T.Type
  ) throws(PruneError) -> Tensor {
    let operation: (T, T) -> T
    switch reduction {
    case "add": operation = { T.sum($0, $1) }
    case "mul": operation = { T.product($0, $1) }
    case "max": operation = { T.maximum($0, $1) }
    case "min": operation = { T.minimum($0, $1) }
    default: throw call.fail("reduction is '\(reduction)', wanted none, add, mul, max or min")
    }
    var result = try call.tensor(0).array(of: T.self)
    let updates = try call.tensor(2).array(of: T.self)
    for (number, offset) in offsets.enumerated() {
      for index in 0..<length {
        result[offset + index] = operation(result[offset + index], updates[number * length + index])
      }
    }
    return try Tensor(result, try call.shape())
  }
}
