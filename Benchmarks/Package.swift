// swift-tools-version: 6.2
import PackageDescription

let warningsAreErrors: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// A C part of the lab. Its headers are in its own include/lab.
func lab(_ name: String, _ below: [Target.Dependency] = [], libraries: [String] = []) -> Target {
    .target(
        name: name,
        dependencies: below,
        path: "CSources/\(name)",
        cSettings: [.headerSearchPath("."), .define("_GNU_SOURCE"), .treatAllWarnings(as: .error)],
        linkerSettings: libraries.map { .linkedLibrary($0) }
    )
}

let package = Package(
    name: "oxidize-benchmarks",
    products: [
        .executable(name: "oxbench", targets: ["oxbench"])
    ],
    dependencies: [
        .package(name: "oxidize", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    ],
    targets: [
        lab("CLabBase", libraries: ["m"]),
        lab("CLabLink", ["CLabBase"]),
        lab("CLabFlow", ["CLabBase"]),
        lab("CLabFlood", ["CLabBase"]),
        // The rooms' functions come with OxCore; their headers by its own oxcore/, one line each.
        lab("CLabKernels", ["CLabBase", .product(name: "OxCore", package: "oxidize")], libraries: ["isal"]),
        lab("CLabRohc", ["CLabBase", .product(name: "OxCore", package: "oxidize")]),
        .executableTarget(
            name: "oxbench",
            dependencies: [
                "CLabBase", "CLabLink", "CLabFlow", "CLabFlood", "CLabKernels", "CLabRohc",
                .product(name: "Oxidize", package: "oxidize"),
                .product(name: "OxCore", package: "oxidize"),
                .product(name: "OxSimulation", package: "oxidize"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: warningsAreErrors),
    ]
)
