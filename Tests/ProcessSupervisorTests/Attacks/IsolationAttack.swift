/// Something that an instance must not be able to do, and which launcher keeps it from that.
///
/// `SECURITY.md` has these as a table, and `IsolationAttackTests` tries them.
struct IsolationAttack: Sendable, CustomStringConvertible {
    /// How instances are started while they attack.
    enum Attacker: String, Sendable, CaseIterable, CustomStringConvertible {
        case hostUser = "host, as the host's user"
        case ownUser = "host, a user of its own"
        case sandbox = "sandbox, as the host's user"
        case sandboxUser = "sandbox, a user of its own"
        case container = "OCI, as the host's user"
        case containerUser = "OCI, a user of its own"
        case ownNetwork = "sandbox, a user and a network of its own"

        var description: String { self.rawValue }
        var hasOwnUser: Bool { ![.hostUser, .sandbox, .container].contains(self) }
        var isSandboxed: Bool { self == .sandbox || self == .sandboxUser || self == .ownNetwork }
        var hasOwnNetwork: Bool { self == .ownNetwork }
        var isInContainer: Bool { self == .container || self == .containerUser }
    }

    /// What it tries, as the table says it.
    var name: String
    /// A shell script that succeeds when the attack does. `AttackScene` says what it finds in its environment.
    var script: String
    /// What is then there, by its path within the scene: a script may believe that it has written to what others see.
    var leaves: String?
    /// Who succeeds all the same.
    var succeeds: Set<Attacker>
    /// Who succeeds as well where the kernel's Landlock knows nothing of sockets, before Linux 6.12.
    var succeedsUnscoped: Set<Attacker>

    init(
        _ name: String, succeeds: Set<Attacker> = [], unscoped: Set<Attacker> = [], leaves: String? = nil,
        _ script: String
    ) {
        self.name = name
        self.script = script
        self.leaves = leaves
        self.succeeds = succeeds
        self.succeedsUnscoped = unscoped
    }

    /// Whether an attacker is to succeed, with that version of Landlock.
    func isToSucceed(_ attacker: Attacker, landlock version: Int32) -> Bool {
        self.succeeds.contains(attacker) || (version < 6 && self.succeedsUnscoped.contains(attacker))
    }

    var description: String { self.name }

    static let all: [Self] = Self.onFiles + Self.onProcesses + Self.onKernel + Self.onNetwork + Self.onResources

    /// A script in Python that succeeds when it prints nothing to the contrary.
    static func python(_ lines: String...) -> String {
        "exec python3 - <<'END'\nimport ctypes, os, socket, sys\n" + lines.joined(separator: "\n") + "\nEND"
    }
}

extension IsolationAttack {
    static let onFiles: [Self] = [
        Self("read another application's slug", succeeds: [.hostUser, .ownUser], "cat $VICTIM_TREE/secret"),
        Self("write to another application's slug", succeeds: [.hostUser], "echo x > $VICTIM_TREE/changed"),
        Self(
            "write to its own slug, which other instances share", succeeds: [.hostUser],
            leaves: "slugs/attacker/changed",
            "echo x > $TREE/changed || mv $TREE/program $TREE/changed"),
        Self(
            "read what another application keeps, or write to it", succeeds: [.hostUser],
            "cat $VICTIM_STORAGE/kept || echo x > $VICTIM_STORAGE/new"),
        Self("read the platform's data", succeeds: [.hostUser], "cat $DATA/secret.key"),
        Self("write to the platform's data", succeeds: [.hostUser], "echo x > $DATA/new"),
        Self(
            "reach it by a symbolic link, or by the root or the directory of another process", succeeds: [.hostUser],
            """
            cd /tmp && ln -s $DATA/secret.key link-$$ && cat link-$$ && exit 0
            for process in /proc/[0-9]*; do
                cat $process/root$DATA/secret.key && exit 0
                cat $process/cwd/../data/secret.key && exit 0
            done
            cat $TREE/../data/secret.key
            """),
        Self("read the passwords of the machine", succeeds: [.hostUser], "cat /etc/shadow"),
        Self(
            "write to the host's programs", succeeds: [.hostUser],
            "file=/usr/local/slipway-attack-$$; echo x > $file && rm $file"),
        Self(
            "change the program that runs it", succeeds: [],
            "echo x >> /proc/self/exe || echo x >> /proc/1/exe || cat /proc/1/exe > /tmp/copy-$$"),
    ]

    static let onProcesses: [Self] = [
        Self(
            "see other instances in the list of processes", succeeds: [.hostUser, .ownUser],
            "cat /proc/[0-9]*/cmdline > /tmp/list-$$; grep -qa $VICTIM_MARK /tmp/list-$$"),
        Self(
            "read another instance's environment", succeeds: [.hostUser],
            "cat /proc/[0-9]*/environ | grep -qa $VICTIM_SECRET"),
        Self(
            "read another instance's memory", succeeds: [.hostUser],
            Self.python(
                "maps = open(f'/proc/{os.environ[\"VICTIM_PID\"]}/maps').readline()",
                "memory = open(f'/proc/{os.environ[\"VICTIM_PID\"]}/mem', 'rb', 0)",
                "memory.seek(int(maps.split('-')[0], 16))",
                "assert len(memory.read(16)) == 16")),
        Self(
            "trace another instance", succeeds: [.hostUser],
            Self.python(
                "libc = ctypes.CDLL(None, use_errno=True)",
                "victim = int(os.environ['VICTIM_PID'])",
                "assert libc.ptrace(0x4206, victim, None, None) == 0",
                "os.kill(victim, 0)")),
        Self("signal another instance", succeeds: [.hostUser], "kill -CONT $VICTIM_PID"),
        Self("signal the platform", succeeds: [.hostUser], "kill -CONT $HOST_PID"),
        Self(
            "become another user, by a set-user-id program as well",
            "setpriv --reuid 65503 --clear-groups true || (id -u | grep -qv '^0$' && su -c true root < /dev/null)"),
        Self(
            "leave its control group", succeeds: [.hostUser],
            "for file in $(find /sys/fs/cgroup -maxdepth 3 -name cgroup.procs); do echo 0 > $file && exit 0; done; exit 1"
        ),
    ]

    static let onKernel: [Self] = [
        Self("mount something", "mount -t tmpfs none /tmp || unshare -m true"),
        Self(
            "become root of namespaces of its own, and mount there", succeeds: [.ownUser],
            "unshare --user --map-root-user --mount mount -t tmpfs none /tmp"),
        // To what they are already, for this is the host's.
        Self(
            "change who may use the host's devices", succeeds: [.hostUser],
            "test $(stat -c %d:%i /dev/null) = $HOST_NULL && chmod 0666 /dev/null"),
        Self("make a device", "mknod /tmp/device-$$ b 7 0 || mknod $TREE/device b 7 0"),
        Self("set what the kernel runs for a core dump", succeeds: [.hostUser], ": >> /proc/sys/kernel/core_pattern"),
        Self(
            "keep keys in the kernel, load programs into it, or measure it", succeeds: [.hostUser, .ownUser],
            Self.python(
                "libc = ctypes.CDLL(None)",
                "x86 = os.uname().machine == 'x86_64'",
                "key = libc.syscall(248 if x86 else 217, b'user', b'slipway', b'x', 1, ctypes.c_int(-1))",
                "attributes = ctypes.create_string_buffer(128)",
                "program = libc.syscall(321 if x86 else 280, 0, attributes, 128)",
                "measure = libc.syscall(298 if x86 else 241, attributes, 0, -1, -1, 0)",
                "assert max(key, program, measure) >= 0")),
        Self(
            "type into the terminal of whoever started it", succeeds: [.hostUser, .ownUser],
            Self.python(
                "import fcntl, pty, termios",
                // A terminal of its own, so that only the call itself can be refused.
                "pid, terminal = pty.fork()",
                "if pid == 0:",
                "    fcntl.ioctl(0, termios.TIOCSTI, b'x')",
                "    os._exit(0)",
                "sys.exit(1 if os.waitpid(pid, 0)[1] else 0)")),
    ]

    private static let inSharedNetwork = Set(Attacker.allCases.filter { !$0.hasOwnNetwork })

    static let onNetwork: [Self] = [
        Self(
            "connect to the platform's administration", succeeds: Self.inSharedNetwork,
            Self.python(
                "for host in ['127.0.0.1', os.environ['HOST_ADDRESS']]:",
                "    try: sys.exit(socket.create_connection((host, int(os.environ['ADMIN_PORT'])), 5) is None)",
                "    except OSError as error: print(host, error)",
                "sys.exit(1)")),
        Self(
            "connect to another instance past the router", succeeds: Self.inSharedNetwork,
            Self.python(
                "socket.create_connection((os.environ['VICTIM_HOST'], int(os.environ['VICTIM_PORT'])), 2)")),
        Self(
            "connect to what listens on every address of the machine", succeeds: Set(Attacker.allCases),
            Self.python("socket.create_connection((os.environ['HOST_ADDRESS'], int(os.environ['OPEN_PORT'])), 5)")),
        Self(
            "listen to others' packets, or make its own",
            Self.python(
                "for family, kind in [(socket.AF_INET, 6), (socket.AF_PACKET, 0x300)]:",
                "    try: sys.exit(socket.socket(family, socket.SOCK_RAW, kind) is None)",
                "    except OSError as error: print(error)",
                "sys.exit(1)")),
        Self(
            "connect to another's Unix socket", succeeds: [.hostUser],
            Self.python("socket.socket(socket.AF_UNIX).connect(os.environ['DATA'] + '/socket')")),
        Self(
            "connect to another's abstract Unix socket (with Linux 6.12)", succeeds: [.hostUser, .ownUser],
            unscoped: [.sandbox, .sandboxUser, .container, .containerUser],
            Self.python("socket.socket(socket.AF_UNIX).connect('\\0' + os.environ['ABSTRACT'])")),
    ]

    static let onResources: [Self] = [
        Self(
            "have more processes than its limit (with control groups)",
            """
            count=0; while test $count -lt 100; do sleep 10 & count=$((count + 1)); done; echo all are there
            """),
        Self(
            "fill the host's disk or memory with files", succeeds: [.hostUser, .ownUser],
            """
            for directory in /tmp /var/tmp /dev/shm /dev /run $TREE $HOME /; do
                head -c 8000000 /dev/zero > $directory/fill-$$ && rm $directory/fill-$$ && exit 0
                rm -f $directory/fill-$$
            done
            exit 1
            """),
    ]
}
