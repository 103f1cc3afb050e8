#define _GNU_SOURCE
#include "child.h"

#ifdef __linux__

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

// What no application needs, and what has been the way out of sandboxes: each part of the kernel that cannot be asked
// cannot be broken into. A list of what is denied rather than of what is allowed: languages' runtimes begin to use new
// calls, and break when they are answered with anything but ENOSYS.

#define ANSWER(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define DENY_WITH(number, error) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), ANSWER(error)
#define DENY(name) DENY_WITH(__NR_##name, EPERM)
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
// The lower half of an argument: both processors are little-endian.
#define LOAD_ARGUMENT(index) LOAD(args[index])

#if defined(__x86_64__)
#define SLIPWAY_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define SLIPWAY_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef SLIPWAY_ARCHITECTURE

#define NEW_NAMESPACES \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#define PUT_INTO_TERMINAL 0x5412  // TIOCSTI: types into the terminal of whoever looks on
#define CONSOLE_CONTROL 0x541C    // TIOCLINUX: the same, on consoles

static const struct sock_filter filter[] = {
    // The numbers of calls mean something else on another architecture, such as 32 bits on the same processor.
    LOAD(arch),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SLIPWAY_ARCHITECTURE, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
#ifdef __x86_64__
    // The x32 numbers, a second set for everything.
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
    ANSWER(ENOSYS),
#endif
    // File systems and namespaces.
    DENY(mount), DENY(umount2), DENY(pivot_root), DENY(chroot),
    DENY_WITH(428, EPERM),  // open_tree
    DENY_WITH(429, EPERM),  // move_mount
    DENY_WITH(430, EPERM),  // fsopen
    DENY_WITH(431, EPERM),  // fsconfig
    DENY_WITH(432, EPERM),  // fsmount
    DENY_WITH(433, EPERM),  // fspick
    DENY_WITH(442, EPERM),  // mount_setattr
    DENY(unshare), DENY(setns), DENY(open_by_handle_at), DENY(quotactl), DENY(swapon), DENY(swapoff),
    DENY(fanotify_init),
    // Other processes' memory and descriptors.
    DENY(ptrace), DENY(process_vm_readv), DENY(process_vm_writev), DENY(kcmp), DENY(userfaultfd),
    DENY_WITH(438, EPERM),  // pidfd_getfd
    // The kernel itself.
    DENY(bpf), DENY(perf_event_open), DENY(keyctl), DENY(add_key), DENY(request_key), DENY(init_module),
    DENY(finit_module), DENY(delete_module), DENY(kexec_load), DENY(reboot), DENY(syslog), DENY(acct),
    DENY(settimeofday), DENY(clock_settime), DENY(adjtimex), DENY(clock_adjtime), DENY(sethostname),
    DENY(setdomainname), DENY(vhangup), DENY(nfsservctl),
#ifdef __NR_kexec_file_load
    DENY(kexec_file_load),
#endif
#ifdef __x86_64__
    DENY(iopl), DENY(ioperm), DENY(modify_ldt),
#endif
    // As if the kernel was older: programs have another way for it.
    DENY_WITH(425, ENOSYS),  // io_uring_setup
    DENY_WITH(426, ENOSYS),  // io_uring_enter
    DENY_WITH(427, ENOSYS),  // io_uring_register
    DENY_WITH(435, ENOSYS),  // clone3, whose flags are in memory where a filter cannot read them
    // Calls of which only some are denied.
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 4),
    LOAD_ARGUMENT(0),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 0, 1),
    ANSWER(EPERM),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_ioctl, 0, 4),
    LOAD_ARGUMENT(1),
    DENY_WITH(PUT_INTO_TERMINAL, EPERM),
    // Both end here: what follows is for neither.
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CONSOLE_CONTROL, 4, 5),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0, 4),
    LOAD_ARGUMENT(0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 38, 3, 0),         // AF_ALG
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_VSOCK, 2, 1),
    ANSWER(EPERM),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    ANSWER(EAFNOSUPPORT),
};

int slipway_filter_system_calls(void) {
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = (struct sock_filter *)filter};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

#else

int slipway_filter_system_calls(void) {
    errno = ENOSYS;
    return -1;
}

#endif

// Not in Debian 12's headers.
struct slipway_ruleset {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};
#define SLIPWAY_SCOPE_ABSTRACT_SOCKETS 1
#define SLIPWAY_FIRST_WITH_SCOPES 6

int slipway_landlock_version(void) {
    long version = syscall(444 /* landlock_create_ruleset */, NULL, 0, 1 /* which version? */);
    return version < 0 ? 0 : (int)version;
}

// Mounts say already what there is to be opened, and what is read-only: for files, Landlock would say it again. What mounts
// do not know are abstract Unix sockets, which belong to the network, and that is shared.
int slipway_open_socket_scope(void) {
    if (slipway_landlock_version() < SLIPWAY_FIRST_WITH_SCOPES) return -1;
    struct slipway_ruleset ruleset = {.scoped = SLIPWAY_SCOPE_ABSTRACT_SOCKETS};
    int descriptor = (int)syscall(444, &ruleset, sizeof ruleset, 0);
    return descriptor < 0 ? -2 : descriptor;
}

int slipway_scope_sockets(int scope) {
    if (scope < 0) return 0;
    long outcome = syscall(446 /* landlock_restrict_self */, scope, 0);
    int error = errno;
    close(scope);
    errno = error;
    return (int)outcome;
}

#endif
