import COneDNN
import PruneTensor

/// How an array lies in memory: oneDNN's memory descriptor.
struct Layout: Equatable {
  private(set) var raw: dnnl_memory_desc_t

  init(_ raw: dnnl_memory_desc_t) { self.raw = raw }

  /// A layout of the given tag, `dnnl_format_tag_any` leaving the choice to the primitive. Nil when oneDNN refuses it.
  init?(_ dims: [Int], tag: dnnl_format_tag_t, type: dnnl_data_type_t = dnnl_f32) {
    guard dims.count <= Int(DNNL_MAX_NDIMS), !dims.isEmpty else { return nil }
    var descriptor = dnnl_memory_desc_t()
    guard dnnl_memory_desc_init_by_tag(&descriptor, Int32(dims.count), dims.map(Int64.init), type, tag) == dnnl_success
    else { return nil }
    raw = descriptor
  }

  /// Elements `strides` apart along each axis.
  init?(_ dims: [Int], strides: [Int], type: dnnl_data_type_t = dnnl_f32) {
    guard dims.count <= Int(DNNL_MAX_NDIMS), !dims.isEmpty, strides.count == dims.count else { return nil }
    var descriptor = dnnl_memory_desc_t()
    let status = dnnl_memory_desc_init_by_strides(
      &descriptor, Int32(dims.count), dims.map(Int64.init), type, strides.map(Int64.init))
    guard status == dnnl_success else { return nil }
    raw = descriptor
  }

  /// Row-major. A scalar counts as one element along one axis.
  static func plain(_ dims: [Int], type: dnnl_data_type_t = dnnl_f32) -> Layout? {
    let dims = dims.isEmpty ? [1] : dims
    return Layout(dims, strides: rowMajorStrides(dims), type: type)
  }

  static func any(_ dims: [Int], type: dnnl_data_type_t = dnnl_f32) -> Layout? {
    Layout(dims, tag: dnnl_format_tag_any, type: type)
  }

  /// Channels innermost, for images of any number of spatial axes.
  static func channelsLast(_ dims: [Int], type: dnnl_data_type_t = dnnl_f32) -> Layout? {
    guard dims.count >= 3 else { return nil }
    var strides = [Int](repeating: 0, count: dims.count)
    var next = max(dims[1], 1)
    strides[1] = 1
    for axis in stride(from: dims.count - 1, through: 2, by: -1) {
      strides[axis] = next
      next *= max(dims[axis], 1)
    }
    strides[0] = next
    return Layout(dims, strides: strides, type: type)
  }

  /// Channels in blocks as this machine's kernels like them, for images of two axes. Nil when blocks would not be full.
  static func blocked(_ dims: [Int]) -> Layout? {
    guard dims.count == 4, dims[1].isMultiple(of: OneDNN.block) else { return nil }
    return Layout(dims, tag: OneDNN.block == 16 ? dnnl_nChw16c : dnnl_nChw8c)
  }

  static func rowMajorStrides(_ dims: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: dims.count)
    for axis in stride(from: dims.count - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] * max(dims[axis + 1], 1)
    }
    return strides
  }

  static func == (a: Layout, b: Layout) -> Bool {
    var (x, y) = (a.raw, b.raw)
    return dnnl_memory_desc_equal(&x, &y) != 0
  }

  var byteCount: Int {
    var copy = raw
    return Int(dnnl_memory_desc_get_size(&copy))
  }

  private static func list(_ tuple: dnnl_dims, _ count: Int) -> [Int] {
    // Safe: the tuple is DNNL_MAX_NDIMS numbers in a row.
    withUnsafeBytes(of: tuple) { Array($0.bindMemory(to: Int64.self).prefix(count)).map { Int($0) } }
  }
  private typealias dnnl_dims = (Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64)

  var dims: [Int] { Self.list(raw.dims, Int(raw.ndims)) }
  var paddedDims: [Int] { Self.list(raw.padded_dims, Int(raw.ndims)) }
  /// Whether extents are rounded up to whole blocks, the rest being zeros.
  var isPadded: Bool { dims != paddedDims }

  /// How many channels lie together where images lie in blocks of channels and in no others.
  var channelBlock: Int? {
    let tags =
      switch dims.count {
      case 3: [(dnnl_nCw8c, 8), (dnnl_nCw16c, 16)]
      case 4: [(dnnl_nChw8c, 8), (dnnl_nChw16c, 16)]
      case 5: [(dnnl_nCdhw8c, 8), (dnnl_nCdhw16c, 16)]
      default: [(dnnl_format_tag_t, Int)]()
      }
    return tags.first { Layout(dims, tag: $0.0, type: type) == self }?.1
  }

  var type: dnnl_data_type_t { raw.data_type }

  /// The strides of the axes; nil for blocked layouts.
  var strides: [Int]? {
    guard raw.format_kind == dnnl_blocked, raw.format_desc.blocking.inner_nblks == 0 else { return nil }
    return Self.list(raw.format_desc.blocking.strides, Int(raw.ndims))
  }

  /// The same places for elements of another type.
  func typed(_ type: dnnl_data_type_t) -> Layout {
    var copy = self
    copy.raw.data_type = type
    return copy
  }

  /// Whether the elements lie exactly as in a row-major array, under any name of the descriptor.
  var isRowMajor: Bool {
    guard raw.format_kind == dnnl_blocked, !isPadded, raw.offset0 == 0, raw.extra.flags == 0 else { return false }
    let dims = self.dims
    let blocking = raw.format_desc.blocking
    var strides = Self.list(blocking.strides, dims.count)
    let blockCount = Int(blocking.inner_nblks)
    if blockCount == 1 {
      let axis = Self.list(blocking.inner_idxs, 1)[0]
      let block = Self.list(blocking.inner_blks, 1)[0]
      // Blocks of one axis side by side are that axis unbroken.
      guard strides[axis] == block || dims[axis] == block else { return false }
      strides[axis] = 1
    } else if blockCount > 1 {
      return false
    }
    let rowMajor = Self.rowMajorStrides(dims)
    return dims.indices.allSatisfy { dims[$0] == 1 || strides[$0] == rowMajor[$0] }
  }

  /// The same memory seen under other extents, where that is possible.
  func reshaped(_ dims: [Int]) -> Layout? {
    var (source, descriptor) = (raw, dnnl_memory_desc_t())
    guard dnnl_memory_desc_reshape(&descriptor, &source, Int32(dims.count), dims.map(Int64.init)) == dnnl_success else {
      return nil
    }
    return Layout(descriptor)
  }
}

extension DType {
  /// oneDNN's name for it, where it has one.
  var dnnl: dnnl_data_type_t? {
    switch self {
    case .float32: dnnl_f32
    case .uint8: dnnl_u8
    case .int8: dnnl_s8
    case .int32: dnnl_s32
    default: nil
    }
  }
}
