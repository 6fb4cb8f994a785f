// Nothing of its own: the target exists to carry the linker flags of libprune.so, see Package.swift.
