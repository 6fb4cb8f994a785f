import PruneGraph
import PruneRuntime
import PruneTraining
import Pruning
import Testing

/// What each operator has, from the registries themselves. `scripts/test coverage` prints it.
@Suite struct CoverageTests {
  private struct Column {
    let title: String
    let names: Set<String>
    func mark(_ name: String) -> String { names.contains(name) ? "x" : "-" }
  }

  private static let columns = [
    Column(title: "shape", names: Set(InferenceRules.operators)),
    Column(title: "kernel", names: Set(ReferenceKernels.names)),
    Column(title: "fast", names: Set(FastKernels.names)),
    Column(title: "gradient", names: Set(GradientRules.names)),
    Column(title: "axes", names: Set(AxisRules.names)),
  ]

  private static let all: [String] = Set(Operator.names + columns.flatMap(\.names)).sorted()

  @Test func printsWhatOperatorsLack() {
    let width = (Self.all.map(\.count).max() ?? 0) + 2
    func padded(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(width - text.count, 1))
    }
    print(
      "coverage: " + padded("operator", width) + padded("kind", 15) + Self.columns.map { padded($0.title, 10) }.joined()
    )
    for name in Self.all {
      let row = Operator[name: name]
      let marks = Self.columns.map { column in
        // What ends a gradient by its nature lacks none.
        padded(
          column.title == "gradient" && row?.traits.contains(.endsGradient) ?? false ? "ends" : column.mark(name), 10)
      }
      print("coverage: " + padded(name, width) + padded(row?.kind.rawValue ?? "", 15) + marks.joined())
    }
    for column in Self.columns { print("coverage: \(column.title): \(column.names.count) of \(Self.all.count)") }
  }

  /// Each operator of the standard domain that anything here knows has a row; a row names an operator that something
  /// knows.
  @Test func theTableOfOperatorsIsWhole() {
    let known = Set(Self.columns.flatMap(\.names))
    let missing = known.filter { !$0.contains(".") && Operator[name: $0] == nil }
    #expect(missing == [])
    let unknown = Operator.names.filter {
      !known.contains($0) && Operator[name: $0]?.kind != .control && !$0.contains(".")
    }
    #expect(unknown == [])
  }

  /// What the kinds promise.
  @Test func elementwiseOperatorsHaveWhatTheirKindAsksFor() {
    for name in Operator.names(of: .unary, .broadcasting) {
      #expect(Self.columns[0].names.contains(name), "\(name) has no inference rule")
      #expect(Self.columns[1].names.contains(name), "\(name) has no reference kernel")
      #expect(Self.columns[4].names.contains(name), "\(name) has no axis rule")
    }
  }
}
