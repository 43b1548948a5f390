// The program of a package that depends on this one; consumer.t builds and runs it. Needs no privilege: nothing is started.
import OxConfiguration
import OxCore
import OxModel
import Oxidize

try Core.start()
let privateKey = KeyTool.random(clamped: true)
let relayKey = try KeyTool.publicKey(of: KeyTool.random(clamped: true))
let text = """
    [interface]
    name = "ox-consumer"
    private-key = "\(Base64.encodeKey(privateKey))"
    address = "10.9.0.2/24"

    [[peer]]
    public-key = "\(relayKey)"
    endpoint = "192.0.2.1:51820"
    allowed-ips = ["10.9.0.0/24"]
    """
let client = try Client(Configuration.parse(text: text, file: "consumer.toml"))
precondition(client.interface == "ox-consumer" && client.status() == nil)
print("consumer: ok")
