import PruneGraph
import PruneTensor

/// Part of a row-major array seen under other extents and strides.
struct StridedView {
  /// The value whose elements these are.
  var value: Int
  var offset = 0
  var dims: [Int]
  var strides: [Int]
  /// What the elements are multiplied by.
  var scale = 1.0

  init(_ value: Int, _ dims: [Int]) {
    (self.value, self.dims) = (value, dims)
    strides = Layout.rowMajorStrides(dims)
  }

  func transposed(_ order: [Int]) -> StridedView? {
    guard order.sorted() == Array(dims.indices) else { return nil }
    var view = self
    (view.dims, view.strides) = (order.map { dims[$0] }, order.map { strides[$0] })
    return view
  }

  /// Keeps `count` positions of an axis from `first` on.
  func sliced(_ axis: Int, from first: Int, count: Int) -> StridedView? {
    guard dims.indices.contains(axis), first >= 0, count >= 0, first <= dims[axis] - count else { return nil }
    var view = self
    view.offset += first * strides[axis]
    view.dims[axis] = count
    return view
  }

  /// Other extents over the same elements in the same order; nil where that takes more than one stride an axis.
  func reshaped(_ target: [Int]) -> StridedView? {
    guard target.reduce(1, *) == dims.reduce(1, *), !target.contains(0) else { return nil }
    var result = [Int](repeating: 0, count: target.count)
    var source = dims.indices.filter { dims[$0] != 1 }[...]
    var extents = target.indices.filter { target[$0] != 1 }[...]
    while let first = source.first, let goal = extents.first {
      // The shortest runs of axes on both sides that hold as many elements.
      var (from, to) = ([first], [goal])
      var (product, need) = (dims[first], target[goal])
      source.removeFirst()
      extents.removeFirst()
      while product != need {
        if product < need {
          guard let next = source.popFirst() else { return nil }
          guard strides[from[from.count - 1]] == strides[next] * dims[next] else { return nil }
          from.append(next)
          product *= dims[next]
        } else {
          guard let next = extents.popFirst() else { return nil }
          to.append(next)
          need *= target[next]
        }
      }
      var stride = strides[from[from.count - 1]]
      for axis in to.reversed() {
        result[axis] = stride
        stride *= target[axis]
      }
    }
    var view = self
    (view.dims, view.strides) = (target, result)
    return view
  }

  /// The value as a view of what it was moved from, as far back as `accepts` still likes it; the value itself where
  /// nothing else.
  static func resolve(
    _ value: Int, _ flow: Dataflow, _ index: FlowIndex, where accepts: (StridedView) -> Bool
  ) -> StridedView? {
    // All operations before the value that only move elements; then the furthest start that works.
    var chain: [(op: Dataflow.Op, output: Int)] = []
    var current = value
    while chain.count < 12, let position = index.producer(of: current), let source = flow.ops[position].input(0),
      step(flow.ops[position], to: current, from: StridedView(source, flow.dims(source)), flow) != nil
    {
      let op = flow.ops[position]
      chain.append((op, current))
      current = flow.scaledOperand(op)?.value ?? source
    }
    for depth in stride(from: chain.count, through: 0, by: -1) {
      let start =
        depth == 0 ? value : flow.scaledOperand(chain[depth - 1].op)?.value ?? chain[depth - 1].op.input(0) ?? value
      var view: StridedView? = StridedView(start, flow.dims(start))
      for (op, output) in chain[..<depth].reversed() { view = view.flatMap { step(op, to: output, from: $0, flow) } }
      if let view, accepts(view) { return view }
    }
    return nil
  }

  /// A moving operation's result, its input being seen as `view`.
  private static func step(_ op: Dataflow.Op, to output: Int, from view: StridedView, _ flow: Dataflow) -> StridedView?
  {
    let dims = flow.dims(output)
    switch op.key {
    case "Transpose": return view.transposed(op.node.ints("perm") ?? Array(view.dims.indices.reversed()))
    case "Reshape", "Squeeze", "Unsqueeze", "Flatten": return view.reshaped(dims)
    case "Mul", "Div":
      guard let scaled = flow.scaledOperand(op), flow.dims(scaled.value) == dims else { return nil }
      var result = view.value == scaled.value || view.dims == dims ? view : StridedView(scaled.value, dims)
      result.scale *= scaled.factor
      return result
    case "Gather":
      guard let axis = axis(op, view, 0), let number = flow.scalar(op.input(1)), abs(number) < 1e9 else { return nil }
      let place = Int(number) < 0 ? Int(number) + view.dims[axis] : Int(number)
      return view.sliced(axis, from: place, count: 1)?.reshaped(dims)
    case "Split":
      guard let axis = axis(op, view, 0), let number = op.outputs.firstIndex(of: output) else { return nil }
      var first = 0
      for before in op.outputs[..<number] {
        guard let before, flow.values[before].shape != nil else { return nil }
        first += flow.dims(before)[axis]
      }
      return view.sliced(axis, from: first, count: dims[axis])
    default: return nil
    }
  }

  private static func axis(_ op: Dataflow.Op, _ view: StridedView, _ usual: Int) -> Int? {
    let axis = op.node.int("axis", default: usual)
    let place = axis < 0 ? axis + view.dims.count : axis
    return view.dims.indices.contains(place) ? place : nil
  }
}

extension Dataflow {
  /// What a multiplication or division by a number works on, and the factor.
  func scaledOperand(_ op: Op) -> (value: Int, factor: Double)? {
    guard op.inputs.count == 2, let a = op.inputs[0], let b = op.inputs[1], isFloat(op.output(0)) else { return nil }
    switch op.key {
    case "Mul":
      if let factor = scalar(b) { return (a, factor) }
      return scalar(a).map { (b, $0) }
    case "Div": return scalar(b).flatMap { $0 == 0 ? nil : (a, 1 / $0) }
    default: return nil
    }
  }
}
