import PruneGraph
import PruneTensor

/// Masks of steps, which an Embedding with mask_zero sends along with its values.
extension KerasBuilder {
  /// Which steps are not zero: boolean [batch, steps].
  mutating func mask(of value: KerasValue, name: String) throws(PruneError) -> String? {
    guard value.rank == 2 else { return nil }
    let plain = plain(value)
    let whole = single("Cast", [plain.name], "\(name)/mask_whole", [("to", .int(Int64(DType.int64.rawValue)))])
    let zero = constant(try Tensor(scalar: Int64(0)), "\(name)/mask_zero")
    return single("Not", [single("Equal", [whole, zero], "\(name)/mask_hidden")], "\(name)/mask")
  }

  private mutating func floats(_ mask: String, _ name: String) -> String {
    single("Cast", [mask], name, [("to", .int(Int64(DType.float32.rawValue)))])
  }

  /// The mean over the steps that count.
  mutating func mean(of input: KerasValue, _ mask: String, _ layer: KerasLayer) throws(PruneError) -> KerasValue {
    let value = plain(input)
    let name = layer.path
    guard value.rank == 3 else { throw layer.unsupported("its input has \(value.rank) axes and a mask") }
    let keeps = layer.flag("keepdims", default: false)
    let steps = try constant([1], "\(name)/steps")
    let wide = single(
      "Unsqueeze", [floats(mask, "\(name)/mask_values"), try constant([2], "\(name)/axis")], "\(name)/mask")
    let kept = single("Mul", [value.name, wide], "\(name)/kept")
    let keepdims: [(String, AttributeValue)] = [("keepdims", .int(keeps ? 1 : 0))]
    let sum = single("ReduceSum", [kept, steps], "\(name)/sum", keepdims)
    let count = single("ReduceSum", [wide, steps], "\(name)/count", keepdims)
    return KerasValue(
      single("Div", [sum, count], name), keeps ? [value.dims[0], 1, value.dims[2]] : [value.dims[0], value.dims[2]])
  }

  /// The steps that count put in front, so that a recurrent operator, which takes lengths alone, runs over them.
  struct MaskedSteps {
    let packed: KerasValue
    /// How many steps count, int32 [batch].
    let lengths: String
    /// For every step, which of the packed ones Keras gives there: its own, or where it is hidden, the one before it in
    /// the order of the run.
    let places: String
    /// Whether there is such a step, float [batch, steps].
    let exists: String
  }

  mutating func steps(
    of value: KerasValue, _ mask: String, isReverse: Bool, _ layer: KerasLayer, name: String
  ) throws(PruneError) -> MaskedSteps {
    guard value.rank == 3, let count = value.dims[1], count > 0, count < 1 << 20 else {
      throw layer.unsupported(
        "it runs over steps with a mask of no fixed number", hint: "build the Embedding with mask_zero=False")
    }
    let values = floats(mask, "\(name)/mask_values")
    // Steps that count first, each kind in its own order.
    let rank = constant(try Tensor((0..<count).map { Float(count - $0) }), "\(name)/mask_rank")
    let weighted = single(
      "Mul", [values, try constant(Double(2 * count), "\(name)/mask_weight")], "\(name)/mask_weighted")
    let score = single("Add", [weighted, rank], "\(name)/mask_score")
    let order = node(
      "TopK", [score, try constant([count], "\(name)/mask_count")], "\(name)/mask_top", [("axis", .int(1))], outputs: 2)
    var result = value
    result.name = try gathered(value, order[1], name: "\(name)/packed")
    result.mask = nil
    let axis = try constant([1], "\(name)/mask_axis")
    let total = single("ReduceSum", [values, axis], "\(name)/mask_total", [("keepdims", .int(1))])
    let flat = single("Squeeze", [total, axis], "\(name)/mask_length")
    let lengths = single("Cast", [flat], "\(name)/mask_lengths", [("to", .int(Int64(DType.int32.rawValue)))])
    let met = single(
      "CumSum", [values, constant(try Tensor(scalar: Int64(1)), "\(name)/mask_steps")], "\(name)/mask_met")
    let one = try constant(1, "\(name)/mask_one")
    let place = single("Sub", [met, isReverse ? values : one], "\(name)/mask_place")
    let zero = try constant(0, "\(name)/mask_none")
    let most = try constant(Double(count - 1), "\(name)/mask_most")
    let clipped = single("Clip", [place, zero, most], "\(name)/mask_clipped")
    let places = single("Cast", [clipped], "\(name)/mask_places", [("to", .int(Int64(DType.int64.rawValue)))])
    let exists =
      isReverse
      ? single("Less", [place, total], "\(name)/mask_exists") : single("Greater", [met, zero], "\(name)/mask_exists")
    return MaskedSteps(
      packed: result, lengths: lengths, places: places, exists: floats(exists, "\(name)/mask_exist_values"))
  }

  /// Outputs of the packed steps at the places of all steps.
  mutating func spread(_ value: KerasValue, _ steps: MaskedSteps, name: String) throws(PruneError) -> KerasValue {
    var result = value
    let all = try gathered(value, steps.places, name: "\(name)/spread")
    let wide = single("Unsqueeze", [steps.exists, try constant([2], "\(name)/spread_axis")], "\(name)/spread_exists")
    result.name = single("Mul", [all, wide], "\(name)/spread_steps")
    return result
  }

  /// The steps at places [batch, steps] of a value [batch, steps, channels].
  private mutating func gathered(_ value: KerasValue, _ places: String, name: String) throws(PruneError) -> String {
    let wide = single("Unsqueeze", [places, try constant([2], "\(name)_axis")], "\(name)_places")
    let shape = single("Shape", [value.name], "\(name)_shape")
    let full = single("Expand", [wide, shape], "\(name)_full")
    return single("GatherElements", [value.name, full], name, [("axis", .int(1))])
  }
}
