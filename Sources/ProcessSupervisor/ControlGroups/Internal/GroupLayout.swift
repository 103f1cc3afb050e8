/// One mounted hierarchy of control groups, as this process sees it.
struct GroupHierarchy: Sendable, Hashable {
    /// The interface of a hierarchy. A host may have both at once, with the controllers spread over them.
    enum Version: Sendable, Hashable { case one, two }

    var version: Version
    var controllers: Set<String>
    var mountPoint: String
    /// The directory of the group that this process is in; nil when that is not below the mount.
    var ownDirectory: String?
    var isReadOnly: Bool
}

/// Where the controllers of this host are, read from text. Never decided by a version, but for each controller.
struct GroupLayout: Sendable, Hashable {
    var hierarchies: [GroupHierarchy]

    /// Reads a layout.
    ///
    /// - Parameters:
    ///   - mounts: `/proc/self/mountinfo`.
    ///   - membership: `/proc/self/cgroup`.
    ///   - readFile: the text of a file below a mount; asked for `cgroup.controllers`, which version 2 has.
    init(mounts: String, membership: String, readFile: (String) -> String?) {
        let memberships = membership.split(separator: "\n").compactMap { Membership(line: $0) }
        var hierarchies: [GroupHierarchy] = []
        var places: [String: Int] = [:]
        for mount in mounts.split(separator: "\n").compactMap({ Mount(line: $0) }) {
            guard let member = memberships.first(where: { mount.isOf($0) }) else { continue }
            let own = mount.directory(of: member.path)
            var controllers = mount.controllers
            if mount.version == .two {
                let text = readFile((own ?? mount.point) + "/cgroup.controllers") ?? ""
                controllers = Set(text.split(whereSeparator: \.isWhitespace).map(String.init))
            }
            let hierarchy = GroupHierarchy(
                version: mount.version, controllers: controllers, mountPoint: mount.point, ownDirectory: own,
                isReadOnly: mount.isReadOnly)
            // The same hierarchy may be mounted in several places: the first through which our own group is seen counts.
            if let place = places[member.identifier] {
                if hierarchies[place].ownDirectory == nil, own != nil { hierarchies[place] = hierarchy }
            } else {
                places[member.identifier] = hierarchies.count
                hierarchies.append(hierarchy)
            }
        }
        self.hierarchies = hierarchies
    }

    /// `4:memory:/path`, or `0::/path` for version 2.
    private struct Membership {
        var identifier: String
        var controllers: Set<String>
        var path: String

        init?(line: Substring) {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, fields[2].hasPrefix("/") else { return nil }
            self.identifier = String(fields[0])
            self.controllers = Set(fields[1].split(separator: ",").map(String.init))
            self.path = String(fields[2])
        }
    }

    /// `35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory`
    private struct Mount {
        var version: GroupHierarchy.Version
        var root: String
        var point: String
        var isReadOnly: Bool
        /// Version 1: the options of the file system, the controllers among them.
        var options: Set<String>

        init?(line: Substring) {
            let fields = line.split(separator: " ")
            // A variable number of optional fields ends with a dash.
            guard let dash = fields.dropFirst(6).firstIndex(of: "-"), fields.count > dash + 3 else { return nil }
            switch fields[dash + 1] {
            case "cgroup": self.version = .one
            case "cgroup2": self.version = .two
            default: return nil
            }
            self.root = Self.unescape(fields[3])
            self.point = Self.unescape(fields[4])
            self.options = Set(fields[dash + 3].split(separator: ",").map(String.init))
            self.isReadOnly = fields[5].split(separator: ",").contains("ro") || self.options.contains("ro")
        }

        var controllers: Set<String> { self.options.filter { !$0.contains("=") && $0 != "rw" && $0 != "ro" } }

        func isOf(_ membership: Membership) -> Bool {
            switch self.version {
            case .two: membership.identifier == "0" && membership.controllers.isEmpty
            // The options also hold things such as `xattr`, so it is the membership that must be found in them.
            case .one: !membership.controllers.isEmpty && membership.controllers.isSubset(of: self.options)
            }
        }

        /// A group's directory through this mount, which may show a part of the hierarchy alone, as in a container.
        func directory(of path: String) -> String? {
            // A group outside of the cgroup namespace is shown as /../….
            guard !path.split(separator: "/").contains("..") else { return nil }
            if path == self.root || self.root == "/" {
                let below = self.root == "/" ? path : "/"
                return below == "/" ? self.point : self.point + below
            }
            guard path.hasPrefix(self.root + "/") else { return nil }
            return self.point + path.dropFirst(self.root.count)
        }

        /// Spaces, tabs, newlines and backslashes are octal in mountinfo.
        private static func unescape(_ text: Substring) -> String {
            guard text.contains("\\") else { return String(text) }
            var bytes: [UInt8] = []
            var rest = Array(text.utf8)[...]
            while let byte = rest.popFirst() {
                let digits = rest.prefix(3)
                if byte == UInt8(ascii: "\\"), digits.count == 3,
                    let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
                {
                    bytes.append(value)
                    rest = rest.dropFirst(3)
                } else {
                    bytes.append(byte)
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
