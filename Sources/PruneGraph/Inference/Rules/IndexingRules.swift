import PruneTensor

/// Operators that pick or write elements by index.
package enum IndexingRules {
  static let table: [String: Rule] = [
    "Gather": Rule { (x) throws(PruneError) in
      guard let data = try x.dims(0, atLeast: 1), let indices = x.dims(1) else {
        return [TensorType(x.dtype(0), nil)]
      }
      let axis = try x.axis(x.node.int("axis", default: 0), rank: data.count)
      return [TensorType(x.dtype(0), data[..<axis] + indices + data[(axis + 1)...])]
    },
    "GatherElements": Rule { (x) throws(PruneError) in
      if let data = try x.dims(0, atLeast: 1) {
        _ = try x.axis(x.node.int("axis", default: 0), rank: data.count)
        if let indices = try x.dims(1, rank: data.count) {
          try within(
            x, indices, data, except: try x.axis(x.node.int("axis", default: 0), rank: data.count))
        }
      }
      return [TensorType(x.dtype(0), x.dims(1))]
    },
    "GatherND": Rule { (x) throws(PruneError) in
      guard let data = try x.dims(0, atLeast: 1), let indices = try x.dims(1, atLeast: 1) else {
        return [TensorType(x.dtype(0), nil)]
      }
      let batch = try batchDims(x, data, indices)
      guard let depth = indices[indices.count - 1].value else {
        return [TensorType(x.dtype(0), nil)]
      }
      guard depth >= 1, depth <= data.count - batch else {
        throw x.fail(
          "indices \(Dims.text(indices)) have \(depth) entries for \(data.count - batch) axes of \(Dims.text(data))"
        )
      }
      return [TensorType(x.dtype(0), indices.dropLast() + data[(batch + depth)...])]
    },
    "Scatter": scatterElements,
    "ScatterElements": scatterElements,
    "ScatterND": Rule { (x) throws(PruneError) in
      if let data = try x.dims(0, atLeast: 1), let indices = try x.dims(1, atLeast: 1),
        let depth = indices[indices.count - 1].value
      {
        guard depth >= 1, depth <= data.count else {
          throw x.fail("indices \(Dims.text(indices)) have \(depth) entries for \(Dims.text(data))")
        }
        let expected = indices.dropLast() + data[depth...]
        if let updates = x.dims(2) {
          guard updates.count == expected.count,
            zip(updates, expected).allSatisfy({ Dim.unified($0, $1) != nil })
          else {
            throw x.fail("updates are \(Dims.text(updates)), wanted \(Dims.text(Array(expected)))")
          }
        }
      }
      return try ElementwiseRules.same(x)
    },
    "NonZero": Rule { (x) throws(PruneError) in
      [TensorType(.int64, [x.dims(0).map { .fixed(max($0.count, 1)) } ?? .unknown, .unknown])]
    },
    "Compress": Rule { (x) throws(PruneError) in
      guard let axis = x.node.int("axis") else { return [TensorType(x.dtype(0), [.unknown])] }
      guard var dims = x.dims(0) else { return [TensorType(x.dtype(0), nil)] }
      dims[try x.axis(axis, rank: dims.count)] = .unknown
      return [TensorType(x.dtype(0), dims)]
    },
    "Unique": Rule { (x) throws(PruneError) in
      let list = TensorType(.int64, [.unknown])
      var dims: [Dim]? = [.unknown]
      if let axis = x.node.int("axis") {
        dims = x.dims(0)
        if let rank = dims?.count { dims?[try x.axis(axis, rank: rank)] = .unknown }
      }
      return [TensorType(x.dtype(0), dims), list, list, list]
    },
  ]

  /// The `batch_dims` of GatherND, checked.
  package static func batchDims(_ x: Operands, _ data: [Dim], _ indices: [Dim]) throws(PruneError)
    -> Int
  {
    let batch = try x.int(
      "batch_dims", default: 0, in: 0...max(min(data.count, indices.count) - 1, 0))
    for axis in 0..<batch where Dim.unified(data[axis], indices[axis]) == nil {
      throw x.fail(
        "indices \(Dims.text(indices)) and data \(Dims.text(data)) differ in batch axis \(axis)")
    }
    return batch
  }

  private static let scatterElements: Rule = Rule { (x) throws(PruneError) in
    if let data = try x.dims(0, atLeast: 1) {
      let axis = try x.axis(x.node.int("axis", default: 0), rank: data.count)
      if let indices = try x.dims(1, rank: data.count) {
        try within(x, indices, data, except: axis)
        if let updates = x.dims(2) {
          guard updates.count == indices.count,
            zip(updates, indices).allSatisfy({ Dim.unified($0, $1) != nil })
          else {
            throw x.fail("updates are \(Dims.text(updates)), indices \(Dims.text(indices))")
          }
        }
      }
    }
    return try ElementwiseRules.same(x)
  }

  /// Indices may not reach beyond the data along the axes that they do not index.
  private static func within(_ x: Operands, _ indices: [Dim], _ data: [Dim], except axis: Int)
    throws(PruneError)
  {
    for position in indices.indices where position != axis {
      if let count = indices[position].value, let extent = data[position].value, count > extent {
        throw x.fail("indices are \(Dims.text(indices)), they reach beyond \(Dims.text(data))")
      }
    }
  }
}
