import PruneGraph
import PruneTensor

/// What inference says of a model whose inputs leave extents open, with numbers put in their place.
struct BoundTypes {
  /// Types with every open extent bound to a number of its own.
  let types: GraphTypes
  /// Types as declared, more exactly: extents that come out the same under two bindings are fixed, and those that
  /// follow an input's are that input's.
  let symbolic: GraphTypes

  /// Large primes, so that extents are told apart in products; where windows or joins do not allow that, numbers that
  /// halve well, then the smallest. Each of the pair binds everything to another number.
  private static let attempts: [(first: @Sendable (Int) -> Int, second: @Sendable (Int) -> Int)] = {
    let primes = [1009, 1013, 1019, 1021, 1031, 1033, 1039, 1049, 1051, 1061, 1063, 1069]
    let others = [1087, 1091, 1093, 1097, 1103, 1109, 1117, 1123, 1129, 1151, 1153, 1163]
    return [
      ({ primes[$0 % primes.count] }, { others[$0 % others.count] }),
      ({ $0 == 0 ? 1009 : 256 * (2 + $0) }, { $0 == 0 ? 1087 : 256 * (16 + $0) }),
      ({ $0 == 0 ? 1009 : 224 }, { $0 == 0 ? 1087 : 448 }),
      ({ _ in 1 }, { _ in 2 }),
    ]
  }()

  init(_ model: Model, _ declared: GraphTypes) {
    for attempt in Self.attempts {
      guard let first = Self.infer(model, declared, attempt.first) else { continue }
      types = first.types
      symbolic = Self.infer(model, declared, attempt.second).map { Self.refined(declared, first, $0) } ?? declared
      return
    }
    (types, symbolic) = (declared, declared)
  }

  private typealias Binding = (types: GraphTypes, extents: [Dim: Int])

  private static func infer(_ model: Model, _ declared: GraphTypes, _ number: (Int) -> Int) -> Binding? {
    var extents: [Dim: Int] = [:]
    var next = 0
    func extent(_ dim: Dim) -> Int {
      if dim != .unknown, let value = extents[dim] { return value }
      extents[dim] = number(next)
      next += 1
      return extents[dim] ?? 1
    }
    var inputs: [String: TensorType] = [:]
    for input in model.graph.trueInputs {
      guard var type = input.type, let dims = type.dims else { continue }
      type.dims = dims.map { $0.value == nil ? .fixed(extent($0)) : $0 }
      inputs[input.name] = type
    }
    guard var types = try? ShapeInference.run(model, inputs: inputs) else { return nil }
    // After operators that inference does not know, the types are those that the file declares.
    for (name, declared) in declared.types where types.types[name]?.dims == nil {
      guard let dims = declared.dims else { continue }
      let bound = dims.map { dim in dim.value == nil ? extents[dim].map(Dim.fixed) ?? .unknown : dim }
      types.types[name] = TensorType(declared.dtype, bound)
    }
    return (types, extents)
  }

  private static func refined(_ declared: GraphTypes, _ first: Binding, _ second: Binding) -> GraphTypes {
    var result = declared
    // Which input extent has which pair of numbers; pairs that two of them share say nothing.
    var symbols: [[Int]: Dim?] = [:]
    for (dim, number) in first.extents where dim != .unknown {
      guard let other = second.extents[dim] else { continue }
      symbols[[number, other]] = symbols.keys.contains([number, other]) ? .some(nil) : dim
    }
    for (name, type) in first.types.types {
      guard let dims = type.dims, let others = second.types.types[name]?.dims, dims.count == others.count else {
        continue
      }
      let declaredDims = declared.types[name]?.dims
      let base = declaredDims?.count == dims.count ? declaredDims : nil
      var refined = base ?? [Dim](repeating: .unknown, count: dims.count)
      for axis in dims.indices where refined[axis].value == nil {
        guard let a = dims[axis].value, let b = others[axis].value else { continue }
        if a == b {
          refined[axis] = .fixed(a)
        } else if refined[axis] == .unknown, let symbol = symbols[[a, b]] ?? nil {
          refined[axis] = symbol
        }
      }
      result.types[name] = TensorType(declared.types[name]?.dtype ?? type.dtype, refined)
    }
    return result
  }
}
