import OxModel

extension DocumentReader {
    mutating func repairWishes() -> [RepairWish] {
        guard case .array(let nodes)? = document.root["repair"] else {
            if let node = document.root["repair"] {
                report(
                    ["repair"], "repair is \(node.typeName), and there is one for each class",
                    "write [[repair]], with two brackets; to turn it off, write repair = \"off\" below [features]")
            }
            return []
        }
        var wishes: [(wish: RepairWish, line: Int)] = []
        for (index, node) in nodes.enumerated() {
            let path = ["repair", "#\(index)"]
            guard case .table(let nodes) = node else {
                report(path, "an entry of [[repair]] is \(node.typeName)", "write [[repair]] and its keys below")
                continue
            }
            let table = Table(kind: .repair, nodes: nodes, path: path)
            if let wish = repairWish(table) {
                if let earlier = wishes.first(where: { $0.wish.trafficClass == wish.trafficClass }) {
                    report(
                        path, "this [[repair]] is for the same class as the one on line \(earlier.line)", "remove one of the two")
                } else {
                    wishes.append((wish, document.line(of: path)))
                }
            }
            checkKeys(table)
        }
        return wishes.map(\.wish)
    }

    /// Nil when it is wrong: then there are errors.
    private mutating func repairWish(_ table: Table) -> RepairWish? {
        let errorsBefore = errors.count
        let name: TrafficClassName? = choice(table, "class")
        if !table.has("class") {
            report(
                table.path, "this [[repair]] does not say which class it is for",
                "add class = \"gaming\", or another of \(TrafficClassName.list)")
        }
        let loss = percent(table, "loss", Limits.repairLoss)
        let lateness = lateness(table)
        let cost = percent(table, "cost", Limits.repairCost)
        guard errors.count == errorsBefore, let name else { return nil }
        return RepairWish(name.trafficClass, residual: loss, lateness: lateness, cost: cost)
    }

    private mutating func percent(_ table: Table, _ name: String, _ range: ClosedRange<Int>) -> Double? {
        let path = table.path + [name]
        let remedy = "write a share from \(PercentText.render(range.lowerBound)) to \(PercentText.render(range.upperBound)) "
            + "with its sign, as in \"\(PercentText.render(range.lowerBound * 9 / 10 + range.upperBound / 10))\""
        switch table.take(name) {
        case nil: return nil
        case .string(let text):
            if let share = PercentText.parse(text), range.contains(share) { return Double(share) / Double(100 * PercentText.parts) }
            report(path, "\(name) is \(quoted(text))", remedy)
        case .integer(let number): report(path, "\(name) is \(number)", remedy)
        case .some(let node): report(path, "\(name) is \(node.typeName)", remedy)
        }
        return nil
    }

    private mutating func lateness(_ table: Table) -> Duration? {
        let path = table.path + ["lateness"]
        let range = Limits.repairLateness
        let remedy = "write a time from \(range.lowerBound)ms to \(range.upperBound)ms with its unit, as in \"50ms\""
        switch table.take("lateness") {
        case nil: return nil
        case .string(let text):
            let least = Duration.milliseconds(range.lowerBound), most = Duration.milliseconds(range.upperBound)
            if case .success(let time) = DurationText.parse(text), time >= least, time <= most { return time }
            report(path, "lateness is \(quoted(text))", remedy)
        case .integer(let number): report(path, "lateness is \(number)", remedy)
        case .some(let node): report(path, "lateness is \(node.typeName)", remedy)
        }
        return nil
    }
}

extension RepairWish {
    var entries: Configuration.Entries {
        var entries: Configuration.Entries = [("class", TOMLText.string(trafficClass.name))]
        func percent(_ share: Double) -> String {
            TOMLText.string(PercentText.render(Int((share * 100 * Double(PercentText.parts)).rounded())))
        }
        if let residual { entries.append(("loss", percent(residual))) }
        if let lateness { entries.append(("lateness", TOMLText.string("\(Int64(lateness / .milliseconds(1)))ms"))) }
        if let cost { entries.append(("cost", percent(cost))) }
        return entries
    }
}
