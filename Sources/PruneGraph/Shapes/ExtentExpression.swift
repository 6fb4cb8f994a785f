/// The name of an extent that exporters compute from other extents: `past + sequence`, `2*s0`, `(H + 7)//8`.
package struct ExtentExpression: Sendable {
  package let names: Set<String>
  private let tokens: [Token]

  private enum Token: Hashable, Sendable {
    case number(Int)
    case name(String)
    case sign(Character)
  }

  /// Nil for a plain name, and for a text that is no sum, product or quotient of names and numbers.
  package init?(_ text: String) {
    guard text.count <= 256, let tokens = Self.tokens(text), tokens.count > 1 else { return nil }
    var names: Set<String> = []
    for case .name(let name) in tokens { names.insert(name) }
    self.names = names
    self.tokens = tokens
    // An expression that does not parse has no value.
    guard !names.isEmpty, value({ _ in 1 }) != nil else { return nil }
  }

  private static func tokens(_ text: String) -> [Token]? {
    var result: [Token] = []
    var rest = Substring(text)
    while let first = rest.first {
      if first == " " {
        rest.removeFirst()
      } else if first.isNumber {
        let digits = rest.prefix { $0.isNumber }
        guard let number = Int(digits) else { return nil }
        result.append(.number(number))
        rest.removeFirst(digits.count)
      } else if first.isLetter || first == "_" {
        let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }
        result.append(.name(String(name)))
        rest.removeFirst(name.count)
      } else if "+-*/()".contains(first) {
        rest.removeFirst()
        // `//` divides as `/` does: extents are whole.
        if first == "/", rest.first == "/" { rest.removeFirst() }
        result.append(.sign(first))
      } else {
        return nil
      }
    }
    return result
  }

  /// The extent, nil where a name has no value or the result is no extent.
  package func value(_ lookUp: (String) -> Int?) -> Int? {
    var place = 0
    guard let result = sum(&place, lookUp, depth: 0), place == tokens.count, result >= 0 else { return nil }
    return result
  }

  private func sum(_ place: inout Int, _ lookUp: (String) -> Int?, depth: Int) -> Int? {
    guard var result = product(&place, lookUp, depth: depth) else { return nil }
    while place < tokens.count, case .sign(let sign) = tokens[place], sign == "+" || sign == "-" {
      place += 1
      guard let next = product(&place, lookUp, depth: depth) else { return nil }
      let (value, overflow) =
        sign == "+" ? result.addingReportingOverflow(next) : result.subtractingReportingOverflow(next)
      guard !overflow else { return nil }
      result = value
    }
    return result
  }

  private func product(_ place: inout Int, _ lookUp: (String) -> Int?, depth: Int) -> Int? {
    guard var result = factor(&place, lookUp, depth: depth) else { return nil }
    while place < tokens.count, case .sign(let sign) = tokens[place], sign == "*" || sign == "/" {
      place += 1
      guard let next = factor(&place, lookUp, depth: depth), sign == "*" || next > 0 else { return nil }
      let (value, overflow) = sign == "*" ? result.multipliedReportingOverflow(by: next) : (result / next, false)
      guard !overflow else { return nil }
      result = value
    }
    return result
  }

  private func factor(_ place: inout Int, _ lookUp: (String) -> Int?, depth: Int) -> Int? {
    guard place < tokens.count, depth < 16 else { return nil }
    let token = tokens[place]
    place += 1
    switch token {
    case .number(let number): return number
    case .name(let name): return lookUp(name)
    case .sign("("):
      guard let inner = sum(&place, lookUp, depth: depth + 1), place < tokens.count, tokens[place] == .sign(")") else {
        return nil
      }
      place += 1
      return inner
    case .sign: return nil
    }
  }
}
