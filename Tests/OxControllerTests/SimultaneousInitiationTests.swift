import OxController
import OxModel
import Testing

@Suite struct SimultaneousInitiationTests {
    /// Data passes both ways, on sessions that both ends have.
    private func expectUsable(_ network: inout Network, _ note: Comment) {
        let before = network.ends.map(\.delivered)
        network.run(.seconds(2), data: [10, 10])
        for index in 0..<2 {
            #expect(network.ends[index].delivered > before[index] + 10, note)
            let key = network.ends[index].sendingKey
            #expect(key != nil && network.ends[1 - index].live.values.contains { $0.key == key }, note)
        }
    }

    @Test func `handshakes that cross end in one session that both use`() {
        for seed in 0..<40 {
            var network = Network(seed: UInt64(seed), connects: [true, true])
            network.run(.seconds(1))
            expectUsable(&network, "seed=\(seed)")
            #expect(network.ends[0].sendingKey == network.ends[1].sendingKey, "seed=\(seed)")
            #expect(network.ends[0].handshakes + network.ends[1].handshakes == 2, "seed=\(seed)")
        }
    }

    @Test func `whatever order the messages of crossing handshakes take, one session is used and no handshake follows`() {
        for seed in 0..<100 {
            var network = Network(seed: UInt64(seed), connects: [true, true], delay: 1...190)
            network.run(.seconds(3))
            expectUsable(&network, "seed=\(seed)")
            network.run(.seconds(25), data: [30, 30])
            #expect(network.ends[0].sendingKey == network.ends[1].sendingKey, "seed=\(seed)")
            #expect(network.ends[0].handshakes + network.ends[1].handshakes <= 4, "seed=\(seed)")
            #expect(network.ends.allSatisfy { $0.live.count <= 2 }, "seed=\(seed)")
        }
    }

    @Test func `a peer that crashed right after its handshake is followed to the session it has`() {
        for seed in 0..<30 {
            var network = Network(seed: UInt64(seed), connects: [true, false])
            network.run(.milliseconds(300), data: [5, 5])
            network.restart(1, connects: true)
            network.run(.seconds(8), data: [20, 20])
            expectUsable(&network, "seed=\(seed)")
            #expect(network.ends[0].sendingKey == network.ends[1].sendingKey, "seed=\(seed)")
        }
    }

    @Test func `packets that wait on both ends at once cross nothing for long`() {
        var network = Network(seed: 3)
        network.sendData(0)
        network.run(.milliseconds(10))
        network.sendData(1)
        network.run(.seconds(1))
        #expect(network.ends.map(\.delivered) == [1, 1])
        expectUsable(&network, "after the start")
    }

    @Test func `two ends find a session again through loss, reordering, duplication, restarts and moves`() {
        for seed in 0..<32 {
            var network = Network(seed: UInt64(seed), connects: [true, seed % 2 == 0], delay: 5...120)
            network.duplication = 0.05
            for round in 0..<8 {
                network.loss = [0, 0.05, 0.3, 0.6][Int(network.random.next() % 4)]
                let data = [[0, 0], [7, 0], [0, 9], [5, 5]][Int(network.random.next() % 4)]
                network.run(.seconds(Int(network.random.next() % 60)), data: data)
                let end = Int(network.random.next() % 2)
                switch network.random.next() % 5 {
                case 0: network.restart(end, connects: true)
                case 1: network.ends[end].address.port += 10
                case 2: network.now += .seconds(Int(network.random.next() % 4000))
                case 3: network.ends[end].pathLimit = 1200 + Int(network.random.next() % 300)
                default: break
                }
                for index in 0..<2 { network.ends[index].commands = 0 }
                network.loss = 0
                network.run(.seconds(30), data: [20, 20])
                expectUsable(&network, "seed=\(seed) round=\(round)")
                for index in 0..<2 { #expect(network.ends[index].commands < 300, "seed=\(seed) round=\(round)") }
            }
        }
    }

    @Test func `twenty minutes of one-way data cost few handshakes and no silence`() {
        for sender in 0..<2 {
            var network = Network(seed: 9, connects: [true, false], delay: 20...60)
            network.run(.seconds(1200), data: sender == 0 ? [50, 0] : [0, 50])
            #expect(network.ends[1 - sender].delivered > 2380)
            #expect((9...12).contains(network.ends[0].handshakes + network.ends[1].handshakes))
        }
    }

    @Test func `idle time without anything wanted costs nothing`() {
        var network = Network(seed: 5)
        network.sendData(0)
        network.run(.seconds(200))
        #expect(network.ends.allSatisfy { $0.live.isEmpty })
        let commands = network.ends.map(\.commands)
        network.run(.seconds(900))
        #expect(network.ends.map(\.commands) == commands)
    }
}
