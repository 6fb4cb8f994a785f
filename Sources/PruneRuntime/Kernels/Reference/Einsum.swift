import PruneGraph
import PruneTensor

/// Einstein summation over any number of inputs: one walk over all letters, the summed ones last.
enum Einsum {
  static let table: [String: Kernel] = [
    "Einsum": Kernel { (call) throws(PruneError) in
      let inputs = try call.tensors()
      guard let equation = try EinsumEquation(call.node, ranks: inputs.map { $0.shape.rank }) else {
        throw call.fail("an input's rank is not known")
      }
      let extents = try equation.extents(inputs.map { $0.shape.dims.map(Dim.fixed) }, call.node)
      let summed = Set(equation.inputs.joined()).subtracting(equation.output).sorted()
      let letters = equation.output + summed
      let dims = letters.map { extents[$0]?.value ?? 1 }
      let output = try call.shape()
      try call.check(output.count)
      var strides: [[Int]] = []
      for (terms, input) in zip(equation.inputs, inputs) {
        let inputStrides = input.shape.strides
        // A letter that comes twice walks the diagonal; an axis of one is stretched.
        strides.append(
          letters.map { letter in
            terms.indices.reduce(0) {
              $0 + (terms[$1] == letter && input.shape[$1] != 1 ? inputStrides[$1] : 0)
            }
          })
      }
      strides.append(output.strides + [Int](repeating: 0, count: summed.count))
      var values: [[Double]] = []
      for input in inputs { values.append(try call.doubles(input)) }
      var result = [Double](repeating: 0, count: output.count)
      let loop = StridedLoop(dims, strides)
      let steps = loop.rowStrides
      try loop.forEachRow(from: [Int](repeating: 0, count: strides.count)) { offsets in
        for index in 0..<loop.rowLength {
          var product = 1.0
          for operand in values.indices {
            product *= values[operand][offsets[operand] + index * steps[operand]]
          }
          result[offsets[values.count] + index * steps[values.count]] += product
        }
      }
      return [try call.result(result)]
    }
  ]
}
