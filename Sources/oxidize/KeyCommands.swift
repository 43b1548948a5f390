import ArgumentParser
import Oxidize

struct GenKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "genkey", abstract: "Print a new private key.")

    func run() throws { try Console.run { printSecret(try KeyText.newPrivateKey()) } }
}

struct GenPSK: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "genpsk", abstract: "Print a new preshared key.")

    func run() throws { try Console.run { printSecret(try KeyText.newPresharedKey()) } }
}

struct PubKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pubkey", abstract: "Read a private key from standard input and print its public key.")

    func run() throws {
        try Console.run {
            guard let text = Terminal.readInput(limit: 4096) else {
                throw ValidationError("Standard input is longer than a key.")
            }
            do {
                print(try KeyText.publicKey(of: text))
            } catch let error as TunnelError {
                Console.complain(error.description)
                throw ExitCode.failure
            }
        }
    }
}

private func printSecret(_ key: String) {
    if Terminal.outputIsWorldReadable {
        Terminal.writeError("oxidize: warning: everyone may read that file; run 'umask 077' first\n")
    }
    print(key)
}
