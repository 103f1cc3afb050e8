import Foundation

/// Ways to keep trees, by command lines.
enum SlugStoreKind: String, CaseIterable {
    case slipway = "slipway"
    case tar = "tar | zstd -3"
    case tarOnAllCores = "tar | zstd -T2 -3"
    case casync, restic, borg

    /// What it takes; `nil` when something is missing.
    func isPresent(_ slugTool: String?) -> Bool {
        switch self {
        case .slipway: slugTool != nil
        case .tar, .tarOnAllCores: Machine.find("zstd") != nil
        case .casync, .restic, .borg: Machine.find(self.rawValue) != nil
        }
    }

    /// The shell commands that store a tree in a store, which is made with the first release. Every byte is read again each
    /// time: none may trust sizes and times.
    func put(_ tree: String, into store: String, release: Int, _ slugTool: String) -> String {
        switch self {
        case .slipway: "\(slugTool) \(store) put \(tree) >\(store).put"
        case .tar: "mkdir -p \(store) && tar -C \(tree) -cf - . | zstd -3 -q -o \(store)/\(release).tar.zst"
        case .tarOnAllCores:
            "mkdir -p \(store) && tar -C \(tree) -cf - . | zstd -T2 -3 -q -o \(store)/\(release).tar.zst"
        case .casync:
            "mkdir -p \(store) && casync make --without=privileged --store=\(store)/s.castr \(store)/\(release).caidx \(tree)"
        case .restic:
            (release == 0 ? "restic -q init -r \(store) && " : "")
                + "restic -q backup --ignore-ctime --force -r \(store) \(tree)"
        case .borg:
            (release == 0 ? "borg init -e none \(store) && " : "")
                + "borg create --files-cache=disabled -C zstd,3 \(store)::\(release) \(tree)"
        }
    }

    /// The shell commands that make the tree of the first release again, which is the only one that is stored by then.
    func get(_ store: String, into target: String, _ slugTool: String) -> String? {
        switch self {
        case .slipway: "read id rest <\(store).put && \(slugTool) \(store) get $id \(target)"
        case .tar: "mkdir \(target) && zstd -dc \(store)/0.tar.zst | tar -C \(target) -xf -"
        case .tarOnAllCores, .restic, .borg: nil
        case .casync: "casync extract --store=\(store)/s.castr \(store)/0.caidx \(target)"
        }
    }
}
