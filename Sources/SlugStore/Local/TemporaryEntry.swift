/// A file or directory under its temporary name, that goes with this object unless it got another name.
final class TemporaryEntry: Sendable {
    let name: String
    let descriptor: Descriptor
    private let directory: Descriptor

    init(name: String, descriptor: Descriptor, directory: Descriptor) {
        self.name = name
        self.descriptor = descriptor
        self.directory = directory
    }

    // A failure leaves a leftover that the next sweep removes. That the name is gone after a rename is fine.
    deinit { try? TreeRemover.remove(self.name.utf8, in: self.directory) }
}
