// The program of a package that depends on this one; consumer.t builds and runs it.
import OxCore
import Oxidize

print("consumer: ok")
