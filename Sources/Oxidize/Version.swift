public enum OxidizeVersion {
    public static let current = "0.1.0"
}
