extension ArchiveTree {
    /// Checks that no link leads out of the tree, alone or together with others.
    ///
    /// Looking at each target by itself is not enough: `a/b/up -> ../..` stays inside, and so seems `a/out -> b/up/..`,
    /// which does not. So every target is followed as the kernel would follow it. What does not exist is taken for a
    /// directory, since somebody may make it one.
    /// - Parameter root: The directory that will be the tree's root; `nil` if that is the archive's.
    func checkLinks(root: TreePath?, _ cancellation: Cancellation) throws(SlugStoreError) {
        // In bytes of targets and of paths that are looked up, and as many for each step as take about as long. Bounds the work
        // that links which lead through links which lead through links can cause.
        var budget = 1 << 29
        let floor = root == nil ? 0 : 1
        for (path, node) in self.nodes {
            guard case .symbolicLink(let target) = node else { continue }
            try cancellation.check()
            try self.follow(target, at: path, floor: floor, budget: &budget)
        }
    }

    private func follow(
        _ target: [UInt8], at link: TreePath, floor: Int, budget: inout Int
    ) throws(SlugStoreError) {
        var way = link.parent?.bytes ?? []
        var depth = way.isEmpty ? 0 : way.count { $0 == TreePath.slash } + 1
        var rest: [ArraySlice<UInt8>] = []
        // The kernel gives up after 40 links, so a longer chain, like a circle, leads nowhere.
        var links = 0
        var next: [UInt8]? = target
        while true {
            guard budget > 0 else {
                throw SlugStoreError(
                    code: .limitExceeded, message: "The archive's links are too entangled to be checked, at \(link).")
            }
            if let target = next {
                links += 1
                budget -= target.count
                guard links <= 40 else { return }
                guard target.first != TreePath.slash else {
                    throw Self.refused("The link \(link) leads to the absolute path \(printable(target)).")
                }
                rest.append(contentsOf: target.split(separator: TreePath.slash).reversed())
                next = nil
            }
            guard let component = rest.popLast() else { return }
            budget -= 64
            if component.elementsEqual([0x2e]) { continue }
            if component.elementsEqual([0x2e, 0x2e]) {
                guard depth > floor else {
                    throw Self.refused(
                        "The link \(link) leads out of the tree (its target is "
                            + "\(self.nodes[link].map(Self.shown) ?? "unknown")).")
                }
                way = TreePath(unchecked: way).parent?.bytes ?? []
                depth -= 1
                continue
            }
            let path = TreePath(unchecked: depth == 0 ? Array(component) : way + [TreePath.slash] + component)
            budget -= path.bytes.count
            if case .symbolicLink(let target) = self.nodes[path] {
                next = target
            } else {
                way = path.bytes
                depth += 1
            }
        }
    }

    private static func shown(_ node: Node) -> String {
        if case .symbolicLink(let target) = node { return printable(target) }
        return "none"
    }
}
