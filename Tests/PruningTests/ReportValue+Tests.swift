import PruneEvaluation

extension ReportValue {
  var integer: Int? {
    if case .integer(let value) = self { return value }
    return nil
  }
  var text: String? {
    switch self {
    case .text(let value), .drawing(let value): value
    default: nil
    }
  }
  var flag: Bool? {
    if case .flag(let value) = self { return value }
    return nil
  }
  var report: Report? {
    if case .report(let value) = self { return value }
    return nil
  }
  var list: [ReportValue]? {
    if case .list(let value) = self { return value }
    return nil
  }
}
