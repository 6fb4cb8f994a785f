import PruneTensor
import Testing

@Suite struct MemoryAccountTests {
  /// Runs a body as the ABI runs a call of a context.
  private func call(_ account: MemoryAccount?, _ body: () throws -> Void) rethrows {
    let previous = MemoryAccount.beginCall()
    defer { MemoryAccount.endCall(previous) }
    account?.enter()
    try body()
  }

  @Test func storagesAreCountedWhereTheyWereMade() throws {
    let account = try MemoryAccount()
    var kept: Tensor?
    try call(account) {
      kept = try Tensor(zeros: .float32, try Shape([100]))
      // A call within, as a callback makes it, has its own.
      try call(nil) { _ = try Tensor(zeros: .float32, try Shape([1 << 20])) }
      _ = try Tensor(zeros: .float32, try Shape([100]))
    }
    #expect(account.used == 400 && account.peak == 800)
    #expect(kept?.count == 100)
    kept = nil
    #expect(account.used == 0 && account.peak == 800)
  }

  @Test func theLimitIsExact() throws {
    let account = try MemoryAccount()
    account.limit = 400
    try call(account) {
      let whole = try Tensor(zeros: .uint8, try Shape([400]))
      let found = #expect(throws: PruneError.self) { _ = try Tensor(zeros: .uint8, try Shape([1])) }
      #expect(found?.status == .outOfMemory && found?.message.contains("400") == true)
      #expect(throws: PruneError.self) { try Storage.checkAvailable(byteCount: 1) }
      _ = whole
    }
    #expect(account.used == 0)
    try call(account) { try Storage.checkAvailable(byteCount: 400) }
    #expect(account.used == 0)
  }

  @Test func bytesGrowInPlaceAndKeepTheirContents() throws {
    let account = try MemoryAccount()
    try call(account) {
      let bytes = try GrowingBytes()
      for row in 0..<1000 { try bytes.append([Float](repeating: Float(row), count: 300)) }
      let tensor = try bytes.tensor(.float32, try Shape([1000, 300]))
      for row in [0, 1, 500, 999] {
        #expect(try tensor.rows(row, row + 1).array(of: Float.self) == [Float](repeating: Float(row), count: 300))
      }
      // Whole pages of what the elements take, not what they grew through.
      #expect(account.used >= 1_200_000 && account.used < 1_200_000 + 1 << 16)
    }
    #expect(account.used == 0)
  }
}
