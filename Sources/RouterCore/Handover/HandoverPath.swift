#if os(Linux)
    import CRouterIO
    import NIOCore
    import SystemPackage

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Musl)
        import Musl
    #endif

    /// A local socket that listens at the path of a hand-over, for its user alone.
    ///
    /// It is made under another name and then renamed, so that the path is never without a router while it changes
    /// hands, and what a router that crashed has left there is replaced.
    final class HandoverPath: Sendable {
        let descriptor: Int32
        private let path: String
        private let temporaryPath: String
        /// Which file it is, so that another router's is not removed.
        private let identity: Identity?

        private struct Identity: Equatable {
            var device: UInt64
            var number: UInt64
        }

        /// Listens under the temporary name.
        init(_ path: FilePath) throws(RouterError) {
            self.path = path.string
            self.temporaryPath = "\(path.string).\(getpid())"
            try Self.checkDirectory(of: path)
            if Self.status(self.path).map({ $0.st_mode & S_IFMT != S_IFSOCK }) == true {
                throw RouterError(
                    .handoverFailed,
                    "The hand-over path '\(path)' is a file or directory, not a socket. Name another, or move it away.")
            }
            unlink(self.temporaryPath)
            self.descriptor = slipway_io_local_listen(self.temporaryPath, 16)
            guard self.descriptor >= 0 else {
                throw RouterError(
                    .handoverFailed,
                    "The router cannot listen at the hand-over path '\(path)'. Is its directory there, and writable?",
                    cause: IOError(errnoCode: -self.descriptor, reason: "bind"))
            }
            self.identity = Self.identity(self.temporaryPath)
        }

        deinit {
            self.remove()
            slipway_io_close(self.descriptor)
        }

        /// Takes the path, whoever had it.
        func publish() throws(RouterError) {
            guard rename(self.temporaryPath, self.path) == 0 else {
                throw RouterError(
                    .handoverFailed, "The router cannot take the hand-over path '\(self.path)'.",
                    cause: IOError(errnoCode: errno, reason: "rename"))
            }
        }

        /// Removes it, unless another router has taken the path.
        func remove() {
            guard let identity = self.identity else { return }
            for path in [self.path, self.temporaryPath] where Self.identity(path) == identity { unlink(path) }
        }

        /// Refuses a directory where others could replace the socket. One that is not there is found out when listening.
        private static func checkDirectory(of path: FilePath) throws(RouterError) {
            let directory = path.removingLastComponent()
            var status = stat()
            guard stat(directory.string, &status) == 0 else { return }
            guard status.st_uid == geteuid() || status.st_uid == 0 else {
                throw RouterError(
                    .handoverFailed,
                    "The directory of the hand-over path '\(path)' belongs to another user, who could take the router's "
                        + "place. Name one of its own user or of root.")
            }
            guard status.st_mode & (S_IWGRP | S_IWOTH) == 0 || status.st_mode & S_ISVTX != 0 else {
                throw RouterError(
                    .handoverFailed,
                    "Others may write in the directory of the hand-over path '\(path)', and could take the router's place. "
                        + "Run chmod go-w on '\(directory)', or name another.")
            }
        }

        private static func status(_ path: String) -> stat? {
            var status = stat()
            return lstat(path, &status) == 0 ? status : nil
        }

        private static func identity(_ path: String) -> Identity? {
            self.status(path).map { Identity(device: UInt64($0.st_dev), number: UInt64($0.st_ino)) }
        }
    }
#endif
