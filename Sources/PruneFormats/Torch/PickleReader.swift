import PruneTensor

/// Reads a pickle (Python's Lib/pickletools.py documents the opcodes) into data: of its stack machine what state dicts
/// need. Calls are not made: those of PyTorch's rebuilding functions are read as the tensors they describe, all others
/// stay names.
struct PickleReader {
  private let bytes: Bytes
  private(set) var position: Int
  private var stack: [PickleValue] = []
  private var memo: [Int: PickleValue] = [:]
  /// Holds every container, so that cycles are broken and nesting cannot exhaust the stack when they go.
  private var containers: [PickleContainer] = []
  /// Bytes an element of each storage that was referred to, by its key; those of what was passed over included.
  private(set) var widths: [String: Int] = [:]

  /// No checkpoint comes near them.
  private static let mostContainers = 1 << 22

  init(_ bytes: Bytes, from position: Int = 0) {
    self.bytes = bytes
    self.position = position
  }

  /// The value that the pickle leaves, given to `body`; nothing of it may be kept.
  mutating func read<R>(_ body: (PickleValue) throws(PruneError) -> R) throws(PruneError) -> R {
    defer {
      for container in containers { (container.items, container.entries) = ([], []) }
      (containers, stack, memo) = ([], [], [:])
    }
    return try body(try run())
  }

  private func damaged(_ what: String) -> PruneError {
    PruneError(.badFormat, "the pickle is damaged at byte \(position): \(what)")
  }

  // MARK: - Bytes

  private mutating func byte() throws(PruneError) -> UInt8 {
    guard position < bytes.count else { throw damaged("it ends without STOP") }
    position += 1
    return bytes[position - 1]
  }

  private mutating func number(_ count: Int) throws(PruneError) -> Int {
    guard count <= 8, position + count <= bytes.count else { throw damaged("it ends within a number") }
    var result: UInt64 = 0
    for index in 0..<count { result |= UInt64(bytes[position + index]) << (8 * UInt64(index)) }
    position += count
    return Int(truncatingIfNeeded: result)
  }

  private mutating func slice(_ count: Int) throws(PruneError) -> Bytes {
    guard count >= 0, count <= bytes.count - position, let part = bytes.slice(position, position + count) else {
      throw damaged("it ends within \(count) bytes")
    }
    position += count
    return part
  }

  private mutating func line() throws(PruneError) -> String {
    let start = position
    while position < bytes.count, position - start < 4096, bytes[position] != 10 { position += 1 }
    guard position < bytes.count, bytes[position] == 10, let text = bytes.slice(start, position) else {
      throw damaged("a line has no end")
    }
    position += 1
    return text.text
  }

  /// A little-endian two's complement number of any length; what does not fit is a number without its digits.
  private mutating func long(_ count: Int) throws(PruneError) -> PickleValue {
    let part = try slice(count)
    guard count <= 8 else { return .number(.nan) }
    guard count > 0 else { return .integer(0) }
    var result = Int64(Int8(bitPattern: part[count - 1]))
    for index in stride(from: count - 2, through: 0, by: -1) { result = result << 8 | Int64(part[index]) }
    return .integer(Int(result))
  }

  // MARK: - The stack

  private mutating func pop() throws(PruneError) -> PickleValue {
    guard let top = stack.popLast() else { throw damaged("the stack is empty") }
    return top
  }

  private mutating func popToMark() throws(PruneError) -> [PickleValue] {
    guard let mark = stack.lastIndex(where: { if case .mark = $0 { true } else { false } }) else {
      throw damaged("there is no mark")
    }
    let items = Array(stack[(mark + 1)...])
    stack.removeSubrange(mark...)
    return items
  }

  private mutating func container(_ items: [PickleValue] = [], callee: String = "") throws(PruneError)
    -> PickleContainer
  {
    guard containers.count < Self.mostContainers else {
      throw damaged("it holds more than \(Self.mostContainers) lists")
    }
    let container = PickleContainer(callee: callee)
    container.items = items
    containers.append(container)
    return container
  }

  private mutating func push(tuple items: [PickleValue]) throws(PruneError) {
    stack.append(.container(try container(items)))
  }

  private mutating func tuple(_ count: Int) throws(PruneError) {
    guard stack.count >= count else { throw damaged("the stack is empty") }
    let items = Array(stack.suffix(count))
    stack.removeLast(count)
    try push(tuple: items)
  }

  /// The container under the values that are put into it.
  private func target() throws(PruneError) -> PickleContainer {
    switch stack.last {
    case .container(let container)?, .object(let container)?: return container
    default: throw damaged("values are put into something that holds none")
    }
  }

  private mutating func set(_ pairs: [PickleValue]) throws(PruneError) {
    guard pairs.count % 2 == 0 else { throw damaged("a key has no value") }
    let target = try target()
    for index in stride(from: 0, to: pairs.count, by: 2) { target.entries.append((pairs[index], pairs[index + 1])) }
  }

  private func remembered(_ index: Int) throws(PruneError) -> PickleValue {
    guard let value = memo[index] else { throw damaged("entry \(index) of the memo is not there") }
    return value
  }

  private mutating func remember(_ index: Int) throws(PruneError) {
    guard let top = stack.last else { throw damaged("the stack is empty") }
    memo[index] = top
  }

  // MARK: - Opcodes

  private mutating func run() throws(PruneError) -> PickleValue {
    while true {
      let opcode = try byte()
      switch opcode {
      case UInt8(ascii: "."): return try pop()
      case 0x80: _ = try byte()  // PROTO
      case 0x95: _ = try number(8)  // FRAME
      case UInt8(ascii: "("): stack.append(.mark)
      case UInt8(ascii: "0"): _ = try pop()
      case UInt8(ascii: "1"): _ = try popToMark()
      case UInt8(ascii: "2"):
        guard let top = stack.last else { throw damaged("the stack is empty") }
        stack.append(top)
      case UInt8(ascii: "N"): stack.append(.none)
      case 0x88, 0x89: stack.append(.flag(opcode == 0x88))
      case UInt8(ascii: "K"): stack.append(.integer(try number(1)))
      case UInt8(ascii: "M"): stack.append(.integer(try number(2)))
      case UInt8(ascii: "J"): stack.append(.integer(Int(Int32(truncatingIfNeeded: try number(4)))))
      case 0x8A: stack.append(try long(try number(1)))
      case 0x8B: stack.append(try long(try number(4)))
      case UInt8(ascii: "G"):
        stack.append(.number(Double(bitPattern: UInt64(bitPattern: Int64(try number(8))).byteSwapped)))
      case 0x8C: stack.append(.text(try slice(try number(1)).text))
      case UInt8(ascii: "X"): stack.append(.text(try slice(try number(4)).text))
      case 0x8D: stack.append(.text(try slice(try number(8)).text))
      // Bytes and strings of Python 2: keys at most, and read as text.
      case UInt8(ascii: "U"), UInt8(ascii: "C"): stack.append(.text(try slice(try number(1)).text))
      case UInt8(ascii: "T"), UInt8(ascii: "B"): stack.append(.text(try slice(try number(4)).text))
      case 0x8E, 0x96: stack.append(.text(try slice(try number(8)).text))
      case UInt8(ascii: "]"), UInt8(ascii: ")"), UInt8(ascii: "}"), 0x8F: stack.append(.container(try container()))
      case UInt8(ascii: "t"), UInt8(ascii: "l"), 0x91: try push(tuple: try popToMark())
      case 0x85, 0x86, 0x87: try tuple(Int(opcode) - 0x84)
      case UInt8(ascii: "d"):
        let pairs = try popToMark()
        stack.append(.container(try container()))
        try set(pairs)
      case UInt8(ascii: "a"):
        let value = try pop()
        try target().items.append(value)
      case UInt8(ascii: "e"), 0x90:
        let values = try popToMark()
        try target().items += values
      case UInt8(ascii: "s"):
        let value = try pop(), key = try pop()
        try set([key, value])
      case UInt8(ascii: "u"): try set(try popToMark())
      case UInt8(ascii: "q"): try remember(try number(1))
      case UInt8(ascii: "r"): try remember(try number(4))
      case 0x94: try remember(memo.count)
      case UInt8(ascii: "h"): stack.append(try remembered(try number(1)))
      case UInt8(ascii: "j"): stack.append(try remembered(try number(4)))
      case UInt8(ascii: "c"):
        let module = try line()
        stack.append(.global("\(module).\(try line())"))
      case 0x93:
        let name = try pop(), module = try pop()
        guard let module = module.text, let name = name.text else { throw damaged("a class has no name") }
        stack.append(.global("\(module).\(name)"))
      case UInt8(ascii: "Q"): stack.append(try persistent(try pop()))
      case UInt8(ascii: "R"), 0x81:
        let arguments = try pop(), callee = try pop()
        stack.append(try callResult(of: callee, arguments))
      case 0x92:
        let (_, arguments) = (try pop(), try pop())
        stack.append(try callResult(of: try pop(), arguments))
      case UInt8(ascii: "b"): try build()
      default:
        throw PruneError(
          .unsupported,
          "the pickle has opcode 0x\(String(opcode, radix: 16)) at byte \(position - 1), which state dicts do not need",
          hint: "save the model's state_dict()")
      }
    }
  }

  /// The state of an object becomes its entries; anything else, as an OrderedDict's attributes, is left out.
  private mutating func build() throws(PruneError) {
    let state = try pop()
    guard case .object(let object)? = stack.last else { return }
    if case .container(let container) = state {
      // With __slots__ a state is a pair of dictionaries.
      object.entries += container.entries + container.items.flatMap { $0.container?.entries ?? [] }
    }
  }

  private mutating func callResult(of callee: PickleValue, _ arguments: PickleValue) throws(PruneError) -> PickleValue {
    guard case .global(let name) = callee else {
      guard case .object(let object) = callee else { throw damaged("a call has no function") }
      return .object(try container(callee: object.callee))
    }
    let list = arguments.container?.items ?? []
    switch name {
    case "collections.OrderedDict", "builtins.dict", "__builtin__.dict", "collections.defaultdict":
      let result = try container()
      // Pairs, as older versions of Python pass them.
      for pair in list.first?.container?.items ?? [] {
        if let items = pair.container?.items, items.count == 2 { result.entries.append((items[0], items[1])) }
      }
      return .container(result)
    case "torch.Size": return list.first ?? .none
    case "torch.nn.parameter.Parameter", "torch._utils._rebuild_parameter",
      "torch._utils._rebuild_parameter_with_state":
      return list.first ?? .none
    case "torch._tensor._rebuild_from_type_v2" where list.count >= 3:
      // A subclass of Tensor has: the function that rebuilds it, its class, the arguments.
      guard case .global(let inner) = list[0], inner.hasPrefix("torch._utils.") else {
        return .object(try container(callee: name))
      }
      return try callResult(of: list[0], list[2])
    case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3":
      return try TorchTypes.tensor(list, isTyped: name.hasSuffix("v3"))
    default: return .object(try container(callee: name))
    }
  }

  private mutating func persistent(_ id: PickleValue) throws(PruneError) -> PickleValue {
    // Legacy files of whole modules refer to a class, with its source.
    if let parts = id.container?.items, parts.count > 1, parts[0].text == "module", case .global = parts[1] {
      return parts[1]
    }
    guard let parts = id.container?.items, parts.count >= 5, parts[0].text == "storage",
      case .global(let type) = parts[1],
      let key = parts[2].text, let count = parts[4].integer, count >= 0
    else { throw damaged("a reference leads to no storage") }
    let storage = TorchStorage(key: key, dtype: try TorchTypes.element(ofStorage: type), count: count)
    widths[key] = (storage.dtype?.bitWidth ?? 8) / 8
    return .storage(storage)
  }
}
