import CPruneSupport
import PruneTensor

/// What a loop in C has to say when it refuses its data.
enum KernelStatus {
  static func error(_ status: Int32, at place: String) -> PruneError {
    switch Int(status) {
    case Int(PS_STATUS_BAD_LABEL):
      PruneError(.mismatch, "a label is not one of the classes", at: place, hint: "labels count from 0")
    case Int(PS_STATUS_BAD_INDEX):
      PruneError(
        .mismatch, "an index is outside the axis it picks from", at: place,
        hint: "indices count from 0, negative ones from the end")
    case Int(PS_STATUS_DIVISION): PruneError(.numeric, "an integer is divided by zero", at: place)
    case Int(PS_STATUS_BAD_LENGTH):
      PruneError(.mismatch, "a sequence length is negative or longer than the sequence", at: place)
    case Int(PS_STATUS_MEMORY): PruneError(.outOfMemory, "there is no memory for the kernel to work in", at: place)
    default: PruneError(.internal, "the kernel failed with status \(status)", at: place)
    }
  }
}
