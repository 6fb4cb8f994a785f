import CPrune
import PruneTensor
import Pruning

/// Behind `prune_axis_node`: what a rule is asked, and what it has said. A live handle while the rule runs.
private final class AxisNode: Box {
  static let kind = "axis node"
  let question: CustomRule.Question
  var relations: [CustomRule.Relation] = []

  init(_ question: CustomRule.Question) { self.question = question }
}

/// A rule of C. Safe: the caller promises that `user` outlives the context's models, which one thread uses at a time.
private struct ForeignRule: @unchecked Sendable {
  let call: prune_axis_rule
  let user: UnsafeMutableRawPointer?

  func relations(_ question: CustomRule.Question) -> [CustomRule.Relation]? {
    let node = AxisNode(question), handle = Handles.make(node)
    defer { Handles.forget(handle) }
    return call(handle, user) == 0 ? node.relations : nil
  }
}

@_cdecl("prune_context_set_axis_rule") @implementation
public func prune_context_set_axis_rule(
  _ context: OpaquePointer!, _ domain: UnsafePointer<CChar>!, _ op_type: UnsafePointer<CChar>!,
  _ rule: prune_axis_rule!,
  _ user: UnsafeMutableRawPointer!
) -> prune_status {
  call { () throws(PruneError) in
    let box: ContextBox = try Handles.object(context)
    let name = try text(op_type, "op_type"), domain = try optionalText(domain, "domain") ?? ""
    let key = domain.isEmpty || domain == "ai.onnx" ? name : "\(domain).\(name)"
    guard let rule else {
      box.setRule(key, nil)
      return
    }
    let foreign = ForeignRule(call: rule, user: user)
    box.setRule(key, CustomRule { foreign.relations($0) })
  }
}

/// What a node is, nil, with the thread's error set, for what is no node.
private func question(_ node: OpaquePointer?) -> CustomRule.Question? {
  var question: CustomRule.Question?
  _ = call { () throws(PruneError) in
    let node: AxisNode = try Handles.object(node)
    question = node.question
  }
  return question
}

private func add(_ relation: CustomRule.Relation, to node: OpaquePointer?) -> prune_status {
  call { () throws(PruneError) in
    let node: AxisNode = try Handles.object(node)
    node.relations.append(relation)
  }
}

private func extents(_ node: OpaquePointer?, _ isOutput: Int32, _ index: UInt32) -> [Int]? {
  guard let question = question(node) else { return nil }
  let values = isOutput != 0 ? question.outputs : question.inputs
  return Int(index) < values.count ? values[Int(index)] : nil
}

@_cdecl("prune_axis_node_rank") @implementation
public func prune_axis_node_rank(_ node: OpaquePointer!, _ is_output: Int32, _ index: UInt32) -> Int32 {
  extents(node, is_output, index).map { Int32(clamping: $0.count) } ?? -1
}

@_cdecl("prune_axis_node_extent") @implementation
public func prune_axis_node_extent(_ node: OpaquePointer!, _ is_output: Int32, _ index: UInt32, _ axis: UInt32) -> Int64
{
  guard let dims = extents(node, is_output, index), Int(axis) < dims.count else { return -1 }
  return Int64(dims[Int(axis)])
}

@_cdecl("prune_axis_node_int") @implementation
public func prune_axis_node_int(_ node: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ otherwise: Int64) -> Int64 {
  guard let node = question(node)?.node, let name, let key = String(validatingCString: name) else { return otherwise }
  return node.int(key).map { Int64($0) } ?? otherwise
}

@_cdecl("prune_axis_node_carry") @implementation
public func prune_axis_node_carry(
  _ node: OpaquePointer!, _ input: UInt32, _ axis: UInt32, _ output: UInt32, _ output_axis: UInt32
) -> prune_status {
  add(.carry(input: Int(input), axis: Int(axis), output: Int(output), outputAxis: Int(output_axis)), to: node)
}

@_cdecl("prune_axis_node_couple") @implementation
public func prune_axis_node_couple(
  _ node: OpaquePointer!, _ input: UInt32, _ axis: UInt32, _ other: UInt32, _ other_axis: UInt32
) -> prune_status {
  add(.couple(input: Int(input), axis: Int(axis), other: Int(other), otherAxis: Int(other_axis)), to: node)
}

@_cdecl("prune_axis_node_sum") @implementation
public func prune_axis_node_sum(_ node: OpaquePointer!, _ input: UInt32, _ axis: UInt32) -> prune_status {
  add(.sum(input: Int(input), axis: Int(axis)), to: node)
}
