import COneDNN

extension OneDNN {
  /// The version of the loaded library; empty when it gives none.
  package static var version: String {
    // Safe: a static struct of the library.
    guard let version = dnnl_version() else { return "" }
    return "\(version.pointee.major).\(version.pointee.minor).\(version.pointee.patch)"
  }
}
