import COneDNN

extension OneDNN {
  /// Of the library that is loaded; empty when it does not say.
  package static var version: String {
    // Safe: a static struct of the library.
    guard let version = dnnl_version() else { return "" }
    return "\(version.pointee.major).\(version.pointee.minor).\(version.pointee.patch)"
  }
}
