extension Report {
    /// One line a result, one column a key: for results that are many. All have the keys of the first.
    var rows: String {
        let title = "\(command)   \(machine)   commit \(commit)"
        guard let first = results.first else { return title }
        let keys = first.map(\.key)
        let lines = [keys] + results.map { result in keys.map { key in result.first { $0.key == key }?.value.plain ?? "-" } }
        let widths = keys.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        let isText = keys.map { key in
            if case .text = first.first(where: { $0.key == key })?.value { true } else { false }
        }
        let padded = lines.map { line in
            keys.indices.map { column in
                let space = String(repeating: " ", count: widths[column] - line[column].count)
                return isText[column] ? line[column] + space : space + line[column]
            }.joined(separator: "  ")
        }
        return ([title] + padded).joined(separator: "\n")
    }
}
