// swift-tools-version: 6.2
import PackageDescription

let warningsAreErrors: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// A room of the C core. Its headers are in include/oxcore; its module map points there.
func room(_ name: String, _ below: [Target.Dependency] = [], libraries: [String] = []) -> Target {
    .target(
        name: name,
        dependencies: below,
        path: "CSources/\(name)",
        cSettings: [
            .headerSearchPath("../../include"),
            .define("_GNU_SOURCE"),
            .treatAllWarnings(as: .error),
        ],
        linkerSettings: libraries.map { .linkedLibrary($0) }
    )
}

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: warningsAreErrors)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: warningsAreErrors)
}

let package = Package(
    name: "oxidize",
    products: [
        .library(name: "Oxidize", targets: ["Oxidize", "OxConfiguration", "OxModel"]),
        .library(name: "OxCore", targets: ["OxCore", "OxModel"]),
        .library(name: "OxSimulation", targets: ["OxSimulation", "OxModel"]),
        .executable(name: "oxidize", targets: ["oxidize"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    ],
    targets: [
        room("COxBase"),
        room("COxPacket", ["COxBase"]),
        room("COxCrypto", ["COxBase"], libraries: ["sodium"]),
        room("COxWire", ["COxBase"]),
        room("COxPath", ["COxWire", "COxBase"]),
        room("COxFlow", ["COxPacket", "COxBase"]),
        room("COxQueue", ["COxFlow", "COxPacket", "COxBase"]),
        room("COxFEC", ["COxBase"]),
        room("COxROHC", ["COxPacket", "COxBase"]),
        room("COxTunnel", ["COxPacket", "COxCrypto", "COxWire", "COxPath", "COxFlow", "COxQueue", "COxFEC", "COxROHC", "COxBase"]),
        room("COxIO", ["COxPacket", "COxBase"]),
        room("COxWorker", ["COxTunnel", "COxIO", "COxPacket", "COxBase"]),

        module("OxModel", []),
        module(
            "OxCore",
            [
                "OxModel", "COxBase", "COxPacket", "COxCrypto", "COxWire", "COxPath", "COxFlow", "COxQueue",
                "COxFEC", "COxROHC", "COxTunnel", "COxIO", "COxWorker",
            ]),
        module("OxConfiguration", ["OxModel", .product(name: "TOMLKit", package: "TOMLKit")]),
        module("OxCongestion", ["OxModel"]),
        module("OxTraffic", ["OxModel"]),
        module("OxController", ["OxModel", "OxCongestion", "OxTraffic"]),
        module(
            "Oxidize",
            [
                "OxModel", "OxCore", "OxConfiguration", "OxController", "OxCongestion", "OxTraffic",
                .product(name: "Logging", package: "swift-log"),
            ]),
        module("OxSimulation", ["Oxidize", "OxModel", "OxCore", "OxConfiguration", "OxController", "OxTraffic"]),
        .executableTarget(
            name: "oxidize",
            dependencies: [
                "Oxidize", "OxModel", "OxConfiguration",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/oxidize",
            swiftSettings: warningsAreErrors),

        tests("OxModelTests", ["OxModel"]),
        tests("OxCoreTests", ["OxCore", "OxModel"]),
        tests("OxConfigurationTests", ["OxConfiguration", "OxModel"]),
        tests("OxCongestionTests", ["OxCongestion", "OxModel"]),
        tests("OxTrafficTests", ["OxTraffic", "OxModel"]),
        tests("OxControllerTests", ["OxController", "OxCongestion", "OxTraffic", "OxModel"]),
        tests(
            "OxidizeTests",
            ["Oxidize", "OxConfiguration", "OxCore", "OxModel", .product(name: "Logging", package: "swift-log")]),
        tests("SimulationTests", ["OxSimulation", "Oxidize", "OxModel"]),
    ]
)
