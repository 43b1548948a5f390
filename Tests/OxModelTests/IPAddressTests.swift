import OxModel
import Testing

struct IPAddressTests {
    @Test(arguments: [
        ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("10.9.0.1", "10.9.0.1"),
        ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8::0001", "2001:db8::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("1:2:3:0:5:6:7:8", "1:2:3:0:5:6:7:8"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("::ffff:c000:201", "192.0.2.1"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("0:0:0:0:0:0:13.1.68.3", "::d01:4403"),
    ])
    func `an address is written in the form of RFC 5952`(text: String, canonical: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == canonical)
        #expect(IPAddress(canonical) == address)
        #expect(IPAddress(bytes: address.bytes) == address)
    }

    @Test(arguments: [
        "", ".", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.", "1..3.4", "1.2.3.-4", "+1.2.3.4", " 1.2.3.4",
        "1.2.3.4 ", "１.2.3.4", ":", ":::", "1:::2", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8", "12345::", "g::", ":1", "1:", "1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4::", "::1.2.3", "fe80::1%eth0",
        "[::1]", "::1/64", "٣::", "-1::",
    ])
    func `what is no address is refused`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `a mapped address is the IPv4 address`() {
        #expect(IPAddress("::ffff:10.0.0.1") == IPAddress(v4: 0x0a00_0001))
        #expect(IPAddress(bytes: [10, 0, 0, 1]) == IPAddress(v4: 0x0a00_0001))
        #expect(IPAddress("10.0.0.1")?.isV4 == true && IPAddress("::a00:1")?.isV4 == false)
        #expect(IPAddress("0.0.0.0")?.isUnspecified == true && IPAddress("::")?.isUnspecified == true)
        #expect(IPAddress("0.0.0.1")?.isUnspecified == false && IPAddress("::1")?.isUnspecified == false)
        for count in [0, 3, 5, 15, 17] { #expect(IPAddress(bytes: [UInt8](repeating: 1, count: count)) == nil) }
    }

    @Test(arguments: [
        ("10.1.2.3/8", "10.0.0.0/8"), ("10.1.2.3/32", "10.1.2.3/32"), ("10.1.2.3/0", "0.0.0.0/0"),
        ("10.1.2.3/31", "10.1.2.2/31"), ("fd00:1:2:3:4:5:6:7/64", "fd00:1:2:3::/64"), ("ffff::1/1", "8000::/1"),
        ("fd00:1:2:3:4:5:6:7/65", "fd00:1:2:3::/65"), ("fd00:1:2:3:f4:5:6:7/63", "fd00:1:2:2::/63"), ("::1/0", "::/0"),
        ("::1/128", "::1/128"), ("::1", "::1/128"), ("10.0.0.1", "10.0.0.1/32"),
    ])
    func `a network has its host bits zero`(text: String, network: String) throws {
        let prefix = try #require(IPPrefix(text))
        #expect(prefix.network.description == network)
        #expect(prefix.network.network == prefix.network)
        #expect(IPPrefix(prefix.description) == prefix)
    }

    @Test(arguments: [
        "10.0.0.0/33", "::/129", "10.0.0.0/", "/8", "10.0.0.0/8/8", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/ 8",
        "::ffff:10.0.0.0/104", "",
    ])
    func `what is no prefix is refused`(text: String) {
        #expect(IPPrefix(text) == nil)
    }

    @Test func `a network contains what shares its bits and its family`() throws {
        let network = try #require(IPPrefix("10.0.0.0/9"))
        #expect(network.contains(try #require(IPAddress("10.127.255.255"))))
        #expect(!network.contains(try #require(IPAddress("10.128.0.0"))))
        #expect(!network.contains(try #require(IPAddress("::a00:0"))))
        let all = try #require(IPPrefix("::/0"))
        #expect(all.contains(try #require(IPAddress("fd00::1"))))
        #expect(!all.contains(try #require(IPAddress("10.0.0.1"))))
        #expect(try #require(IPPrefix("0.0.0.0/0")).contains(try #require(IPAddress("10.0.0.1"))))
    }

    @Test func `every prefix length contains its own ends and not their neighbours`() {
        for length in 1...32 {
            let prefix = IPPrefix(IPAddress(v4: 0xaaaa_aaaa), length: length)!.network
            let first = UInt32(truncatingIfNeeded: prefix.address.low)
            let last = first | (length == 32 ? 0 : .max >> UInt32(length))
            #expect(prefix.contains(IPAddress(v4: first)) && prefix.contains(IPAddress(v4: last)))
            #expect(!prefix.contains(IPAddress(v4: first &- 1)) && !prefix.contains(IPAddress(v4: last &+ 1)))
        }
    }

    @Test(arguments: [
        ("192.0.2.1:443", "192.0.2.1:443"), ("[2001:db8::1]:0", "[2001:db8::1]:0"), ("[::ffff:1.2.3.4]:65535", "1.2.3.4:65535"),
    ])
    func `a socket address is an address and a port`(text: String, canonical: String) throws {
        #expect(try #require(SocketAddress(text)).description == canonical)
    }

    @Test(arguments: [
        "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:+1", "2001:db8::1:443", "[2001:db8::1]", "[192.0.2.1]:1",
        "[::1:1", "::1]:1", "[]:1", ":1", "", "host:1", "192.0.2.1:1 ",
    ])
    func `what is no socket address is refused`(text: String) {
        #expect(SocketAddress(text) == nil)
    }
}
