/// Keeps a value behind one reference, which copies share until one of them is set.
///
/// For large values inside structs: what copies, moves and destroys a struct is code for every field of every struct
/// that holds it, and options within options within runs came to hundreds of kilobytes of it.
@propertyWrapper
package struct Boxed<Value> {
  private final class Box {
    var value: Value
    init(_ value: Value) { self.value = value }
  }

  private var box: Box

  package init(wrappedValue: Value) { box = Box(wrappedValue) }

  package var wrappedValue: Value {
    get { box.value }
    set {
      if isKnownUniquelyReferenced(&box) { box.value = newValue } else { box = Box(newValue) }
    }
  }
}
