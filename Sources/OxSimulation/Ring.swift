/// A queue in an array that is used again and again.
struct Ring<Element> {
    private var places: [Element?] = Array(repeating: nil, count: 16)
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    var first: Element? { count == 0 ? nil : places[head] }
    var last: Element? { count == 0 ? nil : places[(head + count - 1) & (places.count - 1)] }

    subscript(index: Int) -> Element {
        get { places[(head + index) & (places.count - 1)]! }
        set { places[(head + index) & (places.count - 1)] = newValue }
    }

    mutating func append(_ element: Element) {
        if count == places.count { grow() }
        places[(head + count) & (places.count - 1)] = element
        count += 1
    }

    @discardableResult
    mutating func removeFirst() -> Element {
        precondition(count > 0)
        let element = places[head]!
        places[head] = nil
        head = (head + 1) & (places.count - 1)
        count -= 1
        return element
    }

    private mutating func grow() {
        var larger = [Element?](repeating: nil, count: places.count * 2)
        for index in 0..<count { larger[index] = places[(head + index) & (places.count - 1)] }
        places = larger
        head = 0
    }
}
