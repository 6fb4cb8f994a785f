import PruneTensor

extension Lowering {
  /// What was recorded, with a place for every buffer.
  func finish() throws(PruneError) -> Plan {
    var plan = Plan()
    for output in flow.outputs {
      let value = flow.values[output.value]
      let source: Plan.Output.Source
      switch value.origin {
      case .constant(let tensor): source = .constant(tensor)
      case .variable(let variable):
        _ = variableBuffer(output.value, variable)
        source = .variable(variables.firstIndex { $0.variable === variable } ?? 0)
      case .input, .computed:
        if value.isStatic {
          let buffer = try plain(output.value)
          drafts[root(buffer)].last = Int.max
          source = .buffer(buffer)
        } else {
          source = .slot(slot(output.value))
        }
      }
      plan.outputs.append(.init(name: output.name, dtype: value.dtype, shape: value.shape, source: source))
    }
    let planned = drafts.indices.filter {
      if case .arena = drafts[$0].kind { return drafts[$0].first <= drafts[$0].last }
      return false
    }
    if let index = planned.max(by: { drafts[$0].byteCount < drafts[$1].byteCount }),
      steps.indices.contains(drafts[index].first)
    {
      plan.largestLabel = steps[drafts[index].first].label
    }
    let (offsets, total) = try MemoryPlanner.place(
      planned.map { index in
        MemoryPlanner.Request(byteCount: drafts[index].byteCount, first: drafts[index].first, last: drafts[index].last)
      })
    var offset = [Int](repeating: 0, count: drafts.count)
    for (position, index) in planned.enumerated() { offset[index] = offsets[position] }
    plan.buffers = drafts.indices.map { index in
      let place: Plan.Buffer.Place
      switch drafts[root(index)].kind {
      case .arena, .alias: place = .arena(offset[root(index)])
      case .constant(let tensor): place = .constant(tensor)
      case .variable(let number): place = .variable(number)
      }
      return Plan.Buffer(place: place, byteCount: drafts[index].byteCount)
    }
    plan.inputs = flow.inputs.compactMap { id in
      let value = flow.values[id]
      guard let dtype = value.dtype else { return nil }
      return Plan.Input(
        name: value.name, dtype: dtype, shape: value.shape, buffer: materials[id].first?.buffer, slot: slots[id])
    }
    plan.steps = steps
    plan.losesNaN = steps.contains(where: \.losesNaN)
    plan.firstUpdate = firstUpdate
    plan.variables = variables
    plan.slotCount = slots.count
    plan.arenaByteCount = total
    return plan
  }
}
