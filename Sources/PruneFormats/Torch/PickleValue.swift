import PruneTensor

/// What a pickle describes, as data. Classes and functions are names; nothing is looked up, made or called.
enum PickleValue {
  case none
  case flag(Bool)
  case integer(Int)
  case number(Double)
  case text(String)
  /// A class or function by its module and name, as in "torch.FloatStorage".
  case global(String)
  /// Lists, tuples and dictionaries.
  case container(PickleContainer)
  case storage(TorchStorage)
  case tensor(TorchTensor)
  /// What a call of anything that libprune does not know would have made, by the name of the callee.
  case object(PickleContainer)
  case mark

  var integer: Int? { if case .integer(let value) = self { value } else { nil } }
  var text: String? { if case .text(let text) = self { text } else { nil } }
  var container: PickleContainer? { if case .container(let container) = self { container } else { nil } }
}

/// A list, tuple, dictionary or object. A reference: pickles fill them after they were named.
final class PickleContainer {
  /// The items of a list or tuple; empty otherwise.
  var items: [PickleValue] = []
  /// The entries of a dictionary, or of the state of an object.
  var entries: [(key: PickleValue, value: PickleValue)] = []
  /// The class or function that made an object.
  let callee: String

  init(callee: String = "") { self.callee = callee }
}

/// A run of elements that tensors are views of.
struct TorchStorage {
  let key: String
  /// Nil for storages of bytes, whose tensors have a dtype of their own.
  let dtype: DType?
  /// Elements, or bytes where there is no dtype.
  let count: Int
}

struct TorchTensor {
  let storage: TorchStorage
  let view: StridedElements
}
