import OxModel
import Testing

@testable import OxConfiguration

struct RepairWishTests {
    private func errors(_ lines: String) -> [String] { Sample.errors(Sample.client + "\n[[repair]]\n" + lines) }

    @Test(arguments: TrafficClass.allCases)
    func `every class can have its own`(_ trafficClass: TrafficClass) throws {
        let text = "\n[[repair]]\nclass = \"\(trafficClass.name)\"\nloss = \"1%\""
        #expect(try Sample.parse(Sample.client + text).repairWishes == [RepairWish(trafficClass, residual: 0.01)])
    }

    @Test(arguments: [("0.1%", 100), ("0.001%", 1), ("12.5 %", 12_500), ("200%", 200_000), ("0.050%", 50), ("7.%", nil), (".5%", nil),
        ("5", nil), ("%", nil), ("1.0001%", nil), ("-1%", nil), ("1e2%", nil), ("9999999999999999999%", nil)] as [(String, Int?)])
    func `a share is a number and its sign`(text: String, thousandths: Int?) {
        #expect(PercentText.parse(text) == thousandths)
        if let thousandths { #expect(PercentText.parse(PercentText.render(thousandths)) == thousandths) }
    }

    @Test func `a share is written with as few digits as it needs`() {
        #expect([0, 1, 10, 100, 1000, 1010, 120_500].map(PercentText.render) == ["0%", "0.001%", "0.01%", "0.1%", "1%", "1.01%", "120.5%"])
    }

    @Test(arguments: [
        ("loss = \"0%\"", "loss is '0%'"), ("loss = \"51%\"", "loss is '51%'"), ("loss = 1", "loss is 1"),
        ("cost = \"201%\"", "cost is '201%'"), ("cost = true", "cost is a boolean"), ("lateness = 50", "lateness is 50"),
        ("lateness = \"4ms\"", "lateness is '4ms'"), ("lateness = \"3s\"", "lateness is '3s'"),
        ("lateness = \"50\"", "lateness is '50'"), ("copies = 2", "unknown key 'copies' in [[repair]]"),
    ])
    func `anything else is refused by what it is`(line: String, message: String) {
        let errors = errors("class = \"gaming\"\n" + line)
        #expect(errors.count == 1 && errors[0].hasPrefix("12: \(message)"), "\(errors)")
    }

    @Test func `a class is named, and once`() {
        #expect(errors("loss = \"1%\"").first?.contains("does not say which class it is for") == true)
        let twice = errors("class = \"web\"\n[[repair]]\nclass = \"web\"")
        #expect(twice.count == 1 && twice[0].contains("is for the same class as the one on line 10"), "\(twice)")
        #expect(Sample.errors("repair = \"on\"\n" + Sample.client).contains { $0.contains("repair is a string") || $0.contains("'repair' stands outside") })
    }

    @Test func `wishes survive being rendered`() throws {
        let configuration = try Sample.parse(Sample.relay)
        #expect(try Sample.parse(configuration.rendered(secrets: .included)).repairWishes == configuration.repairWishes)
    }
}
