@testable import ProcessSupervisor

/// What hosts of several kinds say about their control groups, recorded.
struct RecordedHost: Sendable {
    var mounts: String
    var membership: String
    var files: [String: String] = [:]

    var layout: GroupLayout {
        GroupLayout(mounts: self.mounts, membership: self.membership, readFile: { self.files[$0] })
    }

    func plan(_ location: ControlGroups.Location = .beneathHost) -> GroupPlan {
        GroupPlan(layout: self.layout, name: "slipway", location: location)
    }

    /// Every controller in a hierarchy of its own, and a hierarchy of version 2 with next to none; no systemd.
    static let hybrid = RecordedHost(
        mounts: """
            23 1 0:21 / /proc rw,relatime - proc proc rw
            31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
            32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
            33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct
            35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
            37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
            39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
            40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
            41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
            """,
        membership: """
            9:name=systemd:/
            8:pids:/
            6:freezer:/
            4:memory:/process_api/9e308f30
            2:cpuacct:/
            1:cpu:/
            0::/
            """,
        files: ["/sys/fs/cgroup/unified/cgroup.controllers": "hugetlb\n"])

    /// Debian 10 with systemd: cpu and cpuacct together, version 2 for systemd alone.
    static let systemdHybrid = RecordedHost(
        mounts: """
            28 24 0:24 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,mode=755
            29 28 0:25 / /sys/fs/cgroup/unified rw,nosuid,nodev,noexec,relatime shared:10 - cgroup2 cgroup2 rw,nsdelegate
            30 28 0:26 / /sys/fs/cgroup/systemd rw,nosuid,nodev,noexec,relatime shared:11 - cgroup cgroup rw,xattr,name=systemd
            34 28 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid,nodev,noexec,relatime shared:15 - cgroup cgroup rw,cpu,cpuacct
            36 28 0:32 / /sys/fs/cgroup/memory rw,nosuid,nodev,noexec,relatime shared:17 - cgroup cgroup rw,memory
            40 28 0:36 / /sys/fs/cgroup/pids rw,nosuid,nodev,noexec,relatime shared:21 - cgroup cgroup rw,pids
            """,
        membership: """
            8:pids:/system.slice/slipway.service
            5:memory:/system.slice/slipway.service
            4:cpu,cpuacct:/system.slice/slipway.service
            1:name=systemd:/system.slice/slipway.service
            0::/system.slice/slipway.service
            """,
        files: ["/sys/fs/cgroup/unified/system.slice/slipway.service/cgroup.controllers": "\n"])

    /// Debian 12 with systemd: version 2 alone, and a unit that all wanted controllers are delegated to.
    static let delegated = RecordedHost(
        mounts: """
            26 23 0:22 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
            """,
        membership: "0::/system.slice/slipway.service\n",
        files: [
            "/sys/fs/cgroup/system.slice/slipway.service/cgroup.controllers": "cpuset cpu io memory pids\n"
        ])

    /// The same, where systemd has put the host aside (`DelegateSubgroup=host`).
    static let delegatedSubgroup = RecordedHost(
        mounts: RecordedHost.delegated.mounts, membership: "0::/system.slice/slipway.service/host\n",
        files: [
            "/sys/fs/cgroup/system.slice/slipway.service/host/cgroup.controllers": "cpuset cpu io memory pids\n"
        ])

    /// A user's session of version 2, with what systemd delegates to users by default.
    static let userSession = RecordedHost(
        mounts: RecordedHost.delegated.mounts,
        membership: "0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.service\n",
        files: [
            "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/a.service/cgroup.controllers":
                "memory pids\n"
        ])

    /// A container of version 1 without a namespace of its own: its part of each hierarchy, to look at alone.
    static let container = RecordedHost(
        mounts: """
            700 699 0:26 /docker/4f /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime master:17 - cgroup cgroup rw,memory
            701 699 0:27 /docker/4f /sys/fs/cgroup/with\\040space rw,nosuid,nodev - cgroup cgroup rw,pids
            """,
        membership: """
            5:memory:/docker/4f
            4:pids:/docker/4f/inner
            """)

    /// A process that was moved out of what its namespace shows.
    static let outside = RecordedHost(
        mounts: RecordedHost.delegated.mounts, membership: "0::/../other\n",
        files: ["/sys/fs/cgroup/cgroup.controllers": "cpu memory pids\n"])

    static let none = RecordedHost(
        mounts: "23 1 0:21 / /proc rw,relatime - proc proc rw\nnonsense\n", membership: "")
}
