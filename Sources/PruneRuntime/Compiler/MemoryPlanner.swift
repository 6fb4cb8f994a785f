import PruneTensor

/// Gives buffers places in one arena so that those alive at the same time do not overlap.
///
/// Greedy by size (Pisarchyk and Lee, 2020): the largest first, each into the smallest gap between its contemporaries
/// that it fits.
enum MemoryPlanner {
  struct Request {
    var byteCount: Int
    /// First and last step that touches it.
    var first: Int
    var last: Int
  }

  static let alignment = 64

  /// Offsets in the order of the requests, and the arena's size.
  /// - Throws: `.outOfMemory` when the sizes do not even add up.
  static func place(_ requests: [Request]) throws(PruneError) -> (offsets: [Int], byteCount: Int) {
    var offsets = [Int](repeating: 0, count: requests.count)
    var total = 0
    // Placed so far, by offset.
    var placed: [(offset: Int, end: Int, request: Int)] = []
    let order = requests.indices.sorted { a, b in
      requests[a].byteCount != requests[b].byteCount ? requests[a].byteCount > requests[b].byteCount : a < b
    }
    for index in order where requests[index].byteCount > 0 {
      let request = requests[index]
      let (padded, overflow) = request.byteCount.addingReportingOverflow(alignment - 1)
      guard !overflow else { throw PruneError(.outOfMemory, "a value needs \(request.byteCount) bytes") }
      let size = padded & ~(alignment - 1)
      var best: (offset: Int, waste: Int)?
      var cursor = 0
      for other in placed {
        let lived = requests[other.request]
        guard lived.first <= request.last, request.first <= lived.last else { continue }
        if other.offset >= cursor {
          let gap = other.offset - cursor
          if gap >= size, gap - size < (best?.waste ?? Int.max) { best = (cursor, gap - size) }
        }
        cursor = max(cursor, other.end)
      }
      let offset = best?.offset ?? cursor
      let (end, tooLarge) = offset.addingReportingOverflow(size)
      guard !tooLarge else {
        throw PruneError(.outOfMemory, "the values of the graph need more memory than there can be")
      }
      offsets[index] = offset
      total = max(total, end)
      let position = placed.partitioningIndex { $0.offset >= offset }
      placed.insert((offset, end, index), at: position)
    }
    return (offsets, total)
  }
}

extension Array {
  /// The first position whose element satisfies `belongsBehind`, the array being partitioned by it.
  fileprivate func partitioningIndex(where belongsBehind: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if belongsBehind(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
