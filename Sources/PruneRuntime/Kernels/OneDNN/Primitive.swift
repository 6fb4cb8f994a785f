import COneDNN
import PruneTensor

/// oneDNN's CPU engine, and the statuses its calls return.
package enum OneDNN {
  /// Nil when the library cannot make one; then everything runs by other kernels.
  nonisolated(unsafe) static let engine: dnnl_engine_t? = {
    // Safe: made once, never changed, and engines may be shared between threads.
    var engine: dnnl_engine_t?
    return dnnl_engine_create(&engine, dnnl_cpu, 0) == dnnl_success ? engine : nil
  }()

  /// Channels that lie together in the layout this machine's kernels for images like.
  package static let block: Int = {
    let wide = dnnl_cpu_isa_avx512_core.rawValue
    return dnnl_get_effective_cpu_isa().rawValue & wide == wide ? 16 : 8
  }()

  /// Whether this machine multiplies bytes into 32-bit sums. Without, oneDNN's 8-bit kernels may saturate between.
  package static let multipliesBytes: Bool = {
    let isa = dnnl_get_effective_cpu_isa().rawValue
    return [dnnl_cpu_isa_avx512_core_vnni.rawValue, dnnl_cpu_isa_avx2_vnni.rawValue].contains { isa & $0 == $0 }
  }()
}

/// Attributes of a primitive: scratch memory comes from us, sums may be scaled, and post-operations may follow.
struct PostOperations {
  enum Item {
    case sum
    /// Adds what lies in the result before, codes of another scale.
    case sumOfCodes(scale: Float, zero: Int32, type: dnnl_data_type_t)
    /// `scale` times the function.
    case eltwise(dnnl_alg_kind_t, alpha: Float, beta: Float, scale: Float = 1)
    case binary(dnnl_alg_kind_t, Layout)
  }
  var items: [Item] = []
  /// Factors of the result, one or one for each channel; none is 1.
  var scales: [Float] = []
  var sourceZero: Int32 = 0
  var resultZero: Int32 = 0
  /// Whether sums of codes come in, none of which is NaN.
  var isOfCodes = false

  /// Whether a float is cut off, which makes a number of NaN. The other functions keep it.
  var cutsFloats: Bool {
    !isOfCodes
      && items.contains { item in
        guard case .eltwise(let kind, let alpha, _, _) = item else { return false }
        return kind == dnnl_eltwise_relu && alpha == 0 || kind == dnnl_eltwise_clip || kind == dnnl_eltwise_clip_v2
      }
  }

  /// Whether no function occurs twice: of two with different parameters oneDNN 2.6 uses one's for both.
  var isUnambiguous: Bool {
    var kinds: Set<UInt32> = []
    return items.allSatisfy { item in
      if case .eltwise(let kind, _, _, _) = item { kinds.insert(kind.rawValue).inserted } else { true }
    }
  }
}

/// A compiled oneDNN primitive with the layouts it chose. Immutable; may run on several threads at once because its
/// scratch memory is passed in.
final class Primitive: @unchecked Sendable {
  let handle: dnnl_primitive_t
  private let descriptor: dnnl_primitive_desc_t
  /// Bytes of scratch memory a run needs.
  let scratchByteCount: Int
  /// Whether it takes NaN for a number: oneDNN's maxima and minima of NaN and a number are the number.
  private(set) var losesNaN = false

  deinit {
    dnnl_primitive_destroy(handle)
    dnnl_primitive_desc_destroy(descriptor)
  }

  private init?(adopting descriptor: dnnl_primitive_desc_t) {
    var primitive: dnnl_primitive_t?
    guard dnnl_primitive_create(&primitive, descriptor) == dnnl_success, let primitive else {
      dnnl_primitive_desc_destroy(descriptor)
      return nil
    }
    handle = primitive
    self.descriptor = descriptor
    scratchByteCount =
      dnnl_primitive_desc_query_md(descriptor, dnnl_query_scratchpad_md, 0).map {
        Int(dnnl_memory_desc_get_size($0))
      } ?? 0
  }

  /// Makes the primitive of an operation descriptor. Nil when oneDNN has no implementation for it.
  static func make<D>(_ description: D, post: PostOperations = .init(), hint: Primitive? = nil) -> Primitive? {
    guard let engine = OneDNN.engine else { return nil }
    return withAttributes(post) { attributes in
      var descriptor: dnnl_primitive_desc_t?
      // Safe: every caller passes one of oneDNN's own descriptor structs, which begin with their kind.
      let status = withUnsafePointer(to: description) {
        dnnl_primitive_desc_create(&descriptor, UnsafeRawPointer($0), attributes, engine, hint?.descriptor)
      }
      guard status == dnnl_success, let descriptor else { return nil }
      let primitive = Primitive(adopting: descriptor)
      primitive?.losesNaN = losesNaN(description) || post.cutsFloats
      return primitive
    }
  }

  private static func losesNaN<D>(_ description: D) -> Bool {
    switch description {
    case let pool as dnnl_pooling_v2_desc_t: pool.alg_kind == dnnl_pooling_max && pool.src_desc.data_type == dnnl_f32
    case let norm as dnnl_batch_normalization_desc_t: norm.flags & dnnl_fuse_norm_relu.rawValue != 0
    default: false
    }
  }

  /// Whether oneDNN has no better than plain loops for it, which take a hundred times as long as its other kernels.
  var isPlain: Bool {
    var name: UnsafePointer<CChar>?
    guard dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, &name) == dnnl_success, let name else {
      return false
    }
    let text = String(cString: name)
    return text.hasPrefix("ref") || text.hasPrefix("simple")
  }

  /// Whether it multiplies matrices with the kernels of dnnl_sgemm, which move the stack pointer into the heap: a
  /// signal handler without a stack of its own would write there.
  var movesStack: Bool {
    var name: UnsafePointer<CChar>?
    guard dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, &name) == dnnl_success, let name else {
      return true
    }
    let text = Array(String(cString: name).utf8)
    return !text.starts(with: "brg".utf8) && text.indices.contains { text[$0...].starts(with: "gemm".utf8) }
  }

  /// Copies between two layouts of the same extents.
  static func reorder(from: Layout, to: Layout) -> Primitive? {
    guard let engine = OneDNN.engine else { return nil }
    return withAttributes(.init()) { attributes in
      var descriptor: dnnl_primitive_desc_t?
      var (source, target) = (from.raw, to.raw)
      let status = dnnl_reorder_primitive_desc_create(&descriptor, &source, engine, &target, engine, attributes)
      guard status == dnnl_success, let descriptor else { return nil }
      return Primitive(adopting: descriptor)
    }
  }

  /// The layout the primitive wants or gives; nil when it has no such argument.
  func layout(_ what: dnnl_query_t, _ index: Int = 0) -> Layout? {
    guard let layout = dnnl_primitive_desc_query_md(descriptor, what, Int32(index)), layout.pointee.ndims > 0 else {
      return nil
    }
    return Layout(layout.pointee)
  }

  private static func withAttributes(_ post: PostOperations, _ body: (dnnl_primitive_attr_t) -> Primitive?)
    -> Primitive?
  {
    var attributes: dnnl_primitive_attr_t?
    guard dnnl_primitive_attr_create(&attributes) == dnnl_success, let attributes else { return nil }
    defer { dnnl_primitive_attr_destroy(attributes) }
    guard dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user) == dnnl_success else {
      return nil
    }
    if !post.scales.isEmpty {
      // The mask names the axis that has a factor for each index: channels are axis 1 of every result here.
      guard
        dnnl_primitive_attr_set_output_scales(
          attributes, Int64(post.scales.count), post.scales.count == 1 ? 0 : 2, post.scales)
          == dnnl_success
      else { return nil }
    }
    for (argument, zero) in [(DNNL_ARG_SRC, post.sourceZero), (DNNL_ARG_DST, post.resultZero)] where zero != 0 {
      var zero = zero
      guard dnnl_primitive_attr_set_zero_points(attributes, argument, 1, 0, &zero) == dnnl_success else { return nil }
    }
    guard !post.items.isEmpty else { return body(attributes) }
    var operations: dnnl_post_ops_t?
    guard dnnl_post_ops_create(&operations) == dnnl_success, let operations else { return nil }
    defer { dnnl_post_ops_destroy(operations) }
    for item in post.items {
      let status: dnnl_status_t
      switch item {
      case .sum: status = dnnl_post_ops_append_sum(operations, 1)
      case .sumOfCodes(let scale, let zero, let type):
        status = dnnl_post_ops_append_sum_v3(operations, scale, zero, type)
      case .eltwise(let kind, let alpha, let beta, let scale):
        status = dnnl_post_ops_append_eltwise(operations, scale, kind, alpha, beta)
      case .binary(let kind, let layout):
        var raw = layout.raw
        status = dnnl_post_ops_append_binary(operations, kind, &raw)
      }
      guard status == dnnl_success else { return nil }
    }
    guard dnnl_primitive_attr_set_post_ops(attributes, operations) == dnnl_success else { return nil }
    return body(attributes)
  }
}
