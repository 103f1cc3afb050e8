import CProcessLauncher

/// One step in making the file system of a sandbox.
struct SandboxMount: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        /// An empty directory.
        case directory
        /// A symbolic link to the source.
        case symlink
        /// What the host has at the source.
        case tree
        /// What the sandbox has at the source, mounted over the target; nothing, where either is missing.
        case mask
        /// A new file system of the type that is the source.
        case new
        /// What the host has at the source, with a layer over it that takes all changes.
        case layered
    }

    struct Flags: OptionSet, Sendable, Hashable {
        var rawValue: Int32
        static let readOnly = Self(rawValue: Int32(SLIPWAY_MOUNT_READ_ONLY.rawValue))
        static let devices = Self(rawValue: Int32(SLIPWAY_MOUNT_DEVICES.rawValue))
        static let noPrograms = Self(rawValue: Int32(SLIPWAY_MOUNT_NO_PROGRAMS.rawValue))
        static let optional = Self(rawValue: Int32(SLIPWAY_MOUNT_OPTIONAL.rawValue))
    }

    var kind: Kind
    var source: String
    var target: String
    var flags: Flags
    /// The options of a new file system, or of the one that a layer is in.
    var data: String

    init(_ kind: Kind, from source: String = "", at target: String, _ flags: Flags = [], data: String = "") {
        self.kind = kind
        self.source = source
        self.target = target
        self.flags = flags
        self.data = data
    }

    var cKind: Int32 {
        switch self.kind {
        case .directory: Int32(SLIPWAY_MOUNT_DIRECTORY.rawValue)
        case .symlink: Int32(SLIPWAY_MOUNT_SYMLINK.rawValue)
        case .tree: Int32(SLIPWAY_MOUNT_TREE.rawValue)
        case .mask: Int32(SLIPWAY_MOUNT_MASK.rawValue)
        case .new: Int32(SLIPWAY_MOUNT_NEW.rawValue)
        case .layered: Int32(SLIPWAY_MOUNT_LAYERED.rawValue)
        }
    }

    /// The source as it is called while the file system is made.
    var cSource: String {
        self.kind == .tree || self.kind == .layered ? SLIPWAY_OLD_ROOT + self.source : self.source
    }
}
