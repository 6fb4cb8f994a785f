import PruneTensor

/// What each further rank of a weight keeps, and the factors of any rank.
///
/// Without data the singular vectors of W are taken, which lose least of it. With the second moments H of what W
/// multiplies those of W L, L Lᵀ = H, are: they lose least of what the layer computes on the data (Chen et al., DRONE,
/// 2021; Wang et al., SVD-LLM, 2024). Both come from eigenvectors of the smaller of two products.
struct WeightSpectrum {
  /// The share of the energy, the sum of squares, that each direction adds, the largest first; over all groups.
  let shares: [Double]
  /// Shares summed up to each rank, rank 0 in front.
  let kept: [Double]
  private let sides: [Side]
  /// What the matrices were divided by, so that no square is too small or too large for a float.
  private let scale: Float

  /// The directions of one matrix.
  private struct Side {
    let matrix: Tensor
    /// Rows that are orthogonal: of outputs where there are fewer of them, of inputs else.
    let vectors: Tensor
    /// Inputs' side alone: the matrix in whitened inputs, and what whitens them.
    let whitened: (matrix: Tensor, factor: Tensor?)?
  }

  /// The products of a larger side take gigabytes.
  static let largestSide = 1 << 14
  /// Of larger sides only as many directions are looked for: no higher rank of so large a weight saves much.
  private static let mostDirections = 1024
  /// Times that the directions of a larger side are multiplied by its matrix.
  private static let iterations = 2
  /// Added to the moments' diagonal, relative to its mean.
  private static let damping = 1e-3

  /// - Parameters:
  ///   - matrices: of each group, [rows, columns].
  ///   - moments: of each group's inputs, [columns, columns].
  /// - Throws: `.numeric` for weights or moments that are not finite.
  init(_ matrices: [Tensor], moments: [Tensor]?) throws(PruneError) {
    let scale = try Self.largest(matrices),
      momentScale = try moments.map { list throws(PruneError) in try Self.largest(list) }
    var energies: [Double] = [], sides: [Side] = [], total = 0.0
    for (group, matrix) in matrices.enumerated() {
      let scaled = try moments.map { list throws(PruneError) in try Self.divided(list[group], by: momentScale ?? 1) }
      let (directions, side) = try Self.side(of: try Self.divided(matrix, by: scale), scaled)
      if energies.isEmpty { energies = [Double](repeating: 0, count: directions.values.count) }
      for (place, value) in directions.values.enumerated() { energies[place] += max(value, 0) }
      total += directions.energy
      sides.append(side)
    }
    // Of a weight of zeros any rank keeps all.
    shares = energies.map { total > 0 ? $0 / total : 0 }
    var kept = [total > 0 ? 0 : 1.0]
    for share in shares { kept.append(min((kept.last ?? 0) + share, 1)) }
    self.kept = kept
    self.sides = sides
    self.scale = scale
  }

  /// The largest magnitude; 1 for zeros alone and for what is not finite, which is refused where it is multiplied.
  private static func largest(_ tensors: [Tensor]) throws(PruneError) -> Float {
    var result: Float = 0
    for tensor in tensors {
      try tensor.withSpan(of: Float.self) { span in
        for place in span.indices { result = max(result, span[place].magnitude) }
      }
    }
    return result > 0 && result.isFinite ? result : 1
  }

  private static func divided(_ tensor: Tensor, by scale: Float) throws(PruneError) -> Tensor {
    guard scale != 1 else { return tensor }
    var result = tensor
    try result.withMutableSpan(of: Float.self) { span in
      for place in span.indices { span[place] /= scale }
    }
    return result
  }

  private static func side(of matrix: Tensor, _ moments: Tensor?) throws(PruneError) -> (Directions, Side) {
    let rows = matrix.shape[0], columns = matrix.shape[1]
    if rows <= columns {
      let weighted =
        try moments.map { moments throws(PruneError) in try SecondOrder.product(matrix, moments) } ?? matrix
      let directions = try directions(
        of: try SecondOrder.product(weighted, matrix, transposesB: true))
      return (directions, Side(matrix: matrix, vectors: directions.vectors, whitened: nil))
    }
    var whitened = matrix
    var factor: Tensor?
    if let moments {
      // U with UᵀU = H⁻¹: L = U⁻¹ = H Uᵀ.
      let inverse = try SecondOrder.inverseFactor(moments, damping: damping)
      whitened = try SecondOrder.product(
        matrix, try SecondOrder.product(try damped(moments), inverse, transposesB: true))
      factor = inverse
    }
    let directions = try directions(of: try SecondOrder.product(whitened, whitened, transposesA: true))
    return (directions, Side(matrix: matrix, vectors: directions.vectors, whitened: (whitened, factor)))
  }

  /// The largest eigenvalues of a matrix, their vectors, and the sum of all.
  private typealias Directions = (values: [Double], vectors: Tensor, energy: Double)

  /// All of a small matrix; of a large one the first by subspace iteration from random directions (Halko, Martinsson
  /// and Tropp, 2011).
  private static func directions(of gram: Tensor) throws(PruneError) -> Directions {
    let count = gram.shape[0]
    let energy = try gram.withSpan(of: Float.self) { span in
      (0..<count).reduce(0.0) { $0 + Double(span[$1 * count + $1]) }
    }
    guard count > mostDirections else {
      let (values, vectors) = try SecondOrder.eigen(gram)
      return (values, vectors, energy)
    }
    var random = RandomSource(seed: 0)
    // One direction a row.
    var basis = try Tensor(
      (0..<mostDirections * count).map { _ in Float(random.normal()) }, try Shape([mostDirections, count]))
    for _ in 0..<iterations { basis = try orthonormal(try SecondOrder.product(basis, gram)) }
    let small = try SecondOrder.product(
      try SecondOrder.product(basis, gram), basis, transposesB: true)
    let (values, mixes) = try SecondOrder.eigen(small)
    return (values, try SecondOrder.product(mixes, basis), energy)
  }

  /// Rows that span the same, by Cholesky's factor of their products, taken twice against rounding.
  private static func orthonormal(_ rows: Tensor) throws(PruneError) -> Tensor {
    var result = rows
    for damping in [1e-6, 1e-9] {
      let factor = try SecondOrder.inverseFactor(try SecondOrder.rowProducts(result), damping: damping)
      result = try SecondOrder.product(factor, result)
    }
    return result
  }

  private static func damped(_ moments: Tensor) throws(PruneError) -> Tensor {
    let count = moments.shape[0]
    var result = moments
    try result.withMutableSpan(of: Float.self) { span throws(PruneError) in
      var mean = 0.0
      for place in 0..<count { mean += Double(span[place * count + place]) / Double(count) }
      let shift = Float(mean > 0 ? damping * mean : 1)
      for place in 0..<count { span[place * count + place] += shift }
    }
    return result
  }

  /// The factors of each group, [rows, rank] and [rank, columns]: their product is the nearest of this rank.
  func factors(rank: Int) throws(PruneError) -> [(left: Tensor, right: Tensor)] {
    try sides.map { side throws(PruneError) in
      let vectors = try side.vectors.rows(0, rank)
      guard let whitened = side.whitened else {
        return try balanced(turned: vectors, try SecondOrder.product(vectors, side.matrix))
      }
      let turned = try SecondOrder.product(vectors, whitened.matrix, transposesB: true)
      let right = try whitened.factor.map { factor throws(PruneError) in try SecondOrder.product(vectors, factor) }
      return try balanced(turned: turned, right ?? vectors)
    }
  }

  /// Factors of which each direction is as long on the left as on the right: what is quantized or pruned later then
  /// has one scale.
  /// - Parameter turned: the left factor, transposed.
  private func balanced(turned: Tensor, _ right: Tensor) throws(PruneError) -> (left: Tensor, right: Tensor) {
    let rank = right.shape[0], rows = turned.shape[1], columns = right.shape[1]
    var left = try Tensor(zeros: .float32, try Shape([rows, rank])), scaled = right
    try turned.withSpan(of: Float.self) { source throws(PruneError) in
      try left.withMutableSpan(of: Float.self) { target throws(PruneError) in
        try scaled.withMutableSpan(of: Float.self) { other throws(PruneError) in
          for place in 0..<rank {
            var (ours, theirs) = (0.0, 0.0)
            for row in 0..<rows { ours += Double(source[place * rows + row]) * Double(source[place * rows + row]) }
            for column in 0..<columns {
              theirs += Double(other[place * columns + column]) * Double(other[place * columns + column])
            }
            let ratio = ours > 0 && theirs > 0 ? (theirs / ours).squareRoot().squareRoot() : 1
            let share = Double(scale).squareRoot(),
              (leftScale, rightScale) = (Float(ratio * share), Float(share / ratio))
            for row in 0..<rows { target[row * rank + place] = source[place * rows + row] * leftScale }
            for column in 0..<columns { other[place * columns + column] *= rightScale }
          }
        }
      }
    }
    return (left, scaled)
  }
}
