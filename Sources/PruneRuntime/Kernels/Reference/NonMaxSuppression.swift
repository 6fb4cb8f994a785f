import PruneGraph
import PruneTensor

/// NonMaxSuppression: per image and class, the best boxes that do not overlap a better one too much.
enum NonMaxSuppression {
  static let table: [String: Kernel] = [
    "NonMaxSuppression": Kernel { (call) throws(PruneError) in
      let (boxShape, scoreShape) = (try call.tensor(0).shape, try call.tensor(1).shape)
      let (boxes, scores) = (try call.doubles(0), try call.doubles(1))
      let limit = call.optional(2) == nil ? 0 : try call.number(2)
      let overlap = call.optional(3) == nil ? 0 : try call.number(3)
      let threshold = call.optional(4) == nil ? -Double.infinity : try call.number(4)
      let isCentred = call.node.int("center_point_box", default: 0) != 0
      let count = boxShape[1]
      var result: [Int64] = []
      for image in 0..<scoreShape[0] {
        let corners = (0..<count).map { Box(boxes, (image * count + $0) * 4, isCentred: isCentred) }
        for category in 0..<scoreShape[1] {
          let start = (image * scoreShape[1] + category) * count
          let order = (0..<count).filter { scores[start + $0] > threshold }
            .sorted {
              scores[start + $0] == scores[start + $1]
                ? $0 < $1 : scores[start + $0] > scores[start + $1]
            }
          var chosen: [Int] = []
          for candidate in order where Double(chosen.count) < limit {
            if chosen.allSatisfy({ corners[$0].overlap(corners[candidate]) <= overlap }) {
              chosen.append(candidate)
            }
          }
          for box in chosen { result += [Int64(image), Int64(category), Int64(box)] }
        }
      }
      return [try Tensor(result, Shape([result.count / 3, 3]))]
    }
  ]

  private struct Box {
    let low: (Double, Double)
    let high: (Double, Double)

    init(_ values: [Double], _ at: Int, isCentred: Bool) {
      let (a, b, c, d) = (values[at], values[at + 1], values[at + 2], values[at + 3])
      if isCentred {
        low = (a - c / 2, b - d / 2)
        high = (a + c / 2, b + d / 2)
      } else {
        low = (min(a, c), min(b, d))
        high = (max(a, c), max(b, d))
      }
    }

    var area: Double { (high.0 - low.0) * (high.1 - low.1) }

    /// Intersection over union.
    func overlap(_ other: Box) -> Double {
      let width = min(high.0, other.high.0) - max(low.0, other.low.0)
      let height = min(high.1, other.high.1) - max(low.1, other.low.1)
      guard width > 0, height > 0, area > 0, other.area > 0 else { return 0 }
      return width * height / (area + other.area - width * height)
    }
  }
}
