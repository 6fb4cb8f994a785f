// swift-tools-version: 6.2
import PackageDescription

/// Every Swift module: warnings are errors. Modules outside the pointer fence (DESIGN: PruneTensor/Storage,
/// PruneRuntime/Kernels, PruneABI) also build under strict memory safety.
let common: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  // Regular expressions would add 1.4 MB to libprune.so: without the import a use of them does not compile.
  .unsafeFlags(["-Xfrontend", "-disable-implicit-string-processing-module-import"]),
]
let fenced: [SwiftSetting] = common + [.strictMemorySafety()]
/// Modules that direct others' loops: small matters more than fast.
let small: [SwiftSetting] = [.unsafeFlags(["-Osize"])]
/// What every file of C is built with: strict warnings, and checks that cost nothing that can be measured. Buffers of
/// known size are checked as they are written (_FORTIFY_SOURCE), arrays on the stack have a guard behind them.
let hardenedC = [
  "-std=gnu17", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-c23-extensions", "-Werror",
  "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3", "-fstack-protector-strong", "-fcf-protection",
]
let supportC: [CSetting] = [.headerSearchPath("../../include"), .unsafeFlags(hardenedC)]
/// When the system refuses memory to a Swift array, libprune's reserve stands in: see CPruneSupport/memory.c.
let reserve = ["swift_slowAlloc", "swift_slowDealloc", "malloc_usable_size"].flatMap { ["-Xlinker", "--wrap=\($0)"] }
/// Full RELRO: what the loader has filled in is read-only from then on. No part of a program is both writable and
/// executable.
let hardenedLink = [
  "-Xlinker", "-z", "-Xlinker", "relro", "-Xlinker", "-z", "-Xlinker", "now", "-Xlinker", "-z", "-Xlinker",
  "noexecstack",
]

/// `PRUNE_TESTS=PruningTests,QuantizationTests` leaves the other test targets out of the build.
let tests = Context.environment["PRUNE_TESTS"]?.split(separator: ",").map(String.init)

let package = Package(
  name: "libprune",
  products: [
    .library(name: "prune", type: .dynamic, targets: ["PruneDylib"]),
    .executable(name: "prunesh", targets: ["prunesh"]),
  ],
  targets: [
    .systemLibrary(name: "CPrune", path: "include"),
    .systemLibrary(name: "COneDNN"),
    .systemLibrary(name: "CZlib"),
    .systemLibrary(name: "CZip"),
    .systemLibrary(name: "CReadline"),
    .target(name: "CPruneSupport", cSettings: supportC, linkerSettings: [.linkedLibrary("gomp")]),
    .target(name: "PruneTensor", dependencies: ["CPruneSupport", "CZlib", "CZip"], swiftSettings: common),
    .target(name: "PruneGraph", dependencies: ["PruneTensor"], swiftSettings: fenced + small),
    .target(name: "PruneFormats", dependencies: ["PruneGraph"], swiftSettings: fenced + small),
    .target(
      name: "PruneRuntime", dependencies: ["PruneGraph", "COneDNN", "CPruneSupport"], swiftSettings: common + small),
    .target(name: "PruneData", dependencies: ["PruneTensor"], swiftSettings: fenced),
    .target(name: "PruneEvaluation", dependencies: ["PruneRuntime", "PruneData"], swiftSettings: fenced + small),
    .target(name: "PruneTraining", dependencies: ["PruneEvaluation"], swiftSettings: fenced + small),
    .target(name: "Pruning", dependencies: ["PruneTraining"], swiftSettings: fenced + small),
    .target(name: "Quantization", dependencies: ["PruneTraining"], swiftSettings: fenced + small),
    .target(
      name: "PruneABI", dependencies: ["CPrune", "PruneFormats", "Pruning", "Quantization"],
      swiftSettings: common + small),
    .target(
      name: "PruneDylib", dependencies: ["PruneABI"],
      linkerSettings: [
        .unsafeFlags(
          [
            "-static-stdlib", "-Xlinker", "--version-script=\(Context.packageDirectory)/scripts/prune.map",
            // Relative relocations packed (glibc 2.36 and later) and equal functions folded: 0.7 megabytes less.
            "-use-ld=lld", "-Xlinker", "-O2", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs", "-Xlinker",
            "--icf=all",
            "-Xlinker", "-soname=libprune.so.0", "-Xlinker", "-z", "-Xlinker", "nodelete", "-Xlinker", "-z", "-Xlinker",
            "text",
          ] + hardenedLink + reserve)
      ]),
    .target(
      name: "CPruneLua", exclude: ["lua"],
      cSettings: [
        .headerSearchPath("../../include"),
        .unsafeFlags(["-I/usr/include/lua5.4"] + hardenedC),
      ]),
    .executableTarget(
      name: "prunesh", dependencies: ["PruneABI", "CPruneLua", "CReadline"], swiftSettings: common,
      linkerSettings: [.unsafeFlags(["-static-stdlib"] + hardenedLink + reserve), .linkedLibrary("lua5.4")]),
    .testTarget(
      name: "ConformanceTests", dependencies: ["PruneRuntime", "PruneFormats"], exclude: ["known.csv"]),
    .testTarget(name: "PruneDataTests", dependencies: ["PruneData"]),
    .testTarget(name: "PruneEvaluationTests", dependencies: ["PruneEvaluation", "PruneFormats"]),
    .testTarget(name: "PruneFormatsTests", dependencies: ["PruneFormats"]),
    .testTarget(name: "PruneGraphTests", dependencies: ["PruneGraph"]),
    .testTarget(name: "PruneRuntimeTests", dependencies: ["PruneRuntime", "PruneFormats", "CPruneSupport"]),
    .testTarget(name: "PruneTensorTests", dependencies: ["PruneTensor"]),
    .testTarget(name: "PruneTrainingTests", dependencies: ["PruneTraining", "PruneFormats"]),
    .testTarget(name: "PruningTests", dependencies: ["Pruning", "PruneFormats"]),
    .testTarget(name: "QuantizationTests", dependencies: ["Quantization", "Pruning", "PruneFormats"]),
  ].filter { target in tests.map { !target.isTest || $0.contains(target.name) } ?? true }
)
