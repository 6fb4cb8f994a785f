import PruneGraph

/// Operators that resample positions and leave the other axes alone.
enum ResizingAxes {
  static let rules: [String: AxisRule] = ["Resize": resize, "Upsample": resize, "GridSample": sampled]

  private static let resize: AxisRule = { (solver, node) in
    guard let x = solver.input(node, 0), let output = node.output(0), let dims = solver.dims(output),
      dims.count == x.count
    else {
      return "the shape of its result is not known"
    }
    if node.string("coordinate_transformation_mode", default: "").hasPrefix("tf_crop") { return "it crops" }
    var result = x
    for axis in x.indices {
      if axis < 2, dims[axis] > 0, solver.forest.size(x[axis]) == dims[axis] { continue }
      solver.pin(x[axis], node, "it resamples this axis")
      result[axis] = solver.fresh(node, axis, pin: "it resamples this axis")
    }
    if node.input(3) != nil {
      // With `axes`, sizes name only some of them.
      if node.ints("axes") != nil {
        for space in x { solver.pin(space, node, "it resamples this axis") }
      } else {
        solver.edit(.shape(input: 3))
      }
    }
    solver.define(node, 0, result)
    return nil
  }

  private static let sampled: AxisRule = { (solver, node) in
    guard let x = solver.input(node, 0), x.count >= 3 else { return "the rank of its input is not known" }
    for space in x.dropFirst(2) { solver.pin(space, node, "it samples positions") }
    for space in solver.input(node, 1) ?? [] { solver.pin(space, node, "it samples positions") }
    solver.define(node, 0, [x[0], x[1]] + (2..<x.count).map { solver.fresh(node, $0, pin: "it samples positions") })
    return nil
  }
}
