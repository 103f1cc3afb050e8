#pragma once

#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

// What happens between the birth of a process and its execve is written in C: the child shares the parent's memory
// until then, and the Swift runtime may allocate, take locks or start threads at any line. Every call in the child is
// async-signal-safe.

/// Where in the child a spawn failed.
enum slipway_spawn_step {
    SLIPWAY_STEP_NONE = 0,
    SLIPWAY_STEP_PREPARE,
    SLIPWAY_STEP_CLONE,
    SLIPWAY_STEP_NAMESPACES,
    SLIPWAY_STEP_MOUNT,
    SLIPWAY_STEP_INIT,
    SLIPWAY_STEP_SESSION,
    SLIPWAY_STEP_GROUP,
    SLIPWAY_STEP_LIMIT,
    SLIPWAY_STEP_CAPABILITIES,
    SLIPWAY_STEP_USER,
    SLIPWAY_STEP_PRIVILEGES,
    SLIPWAY_STEP_DIRECTORY,
    SLIPWAY_STEP_DESCRIPTORS,
    SLIPWAY_STEP_FILTER,
    SLIPWAY_STEP_EXECUTE,
};

struct slipway_limit {
    int resource;
    uint64_t value;
};

enum slipway_mount_kind {
    SLIPWAY_MOUNT_DIRECTORY,  // an empty directory
    SLIPWAY_MOUNT_SYMLINK,    // to `source`
    SLIPWAY_MOUNT_TREE,       // what is at `source`, a directory or a file, with what is mounted beneath it
    SLIPWAY_MOUNT_MASK,       // as the one before, for a target that may be missing: then nothing is done
    SLIPWAY_MOUNT_NEW,        // a new file system of the type `source`, with the options `data`
    SLIPWAY_MOUNT_LAYERED,    // as a tree, with a layer over it that takes all changes: a tmpfs with the options `data`
};

enum slipway_mount_flags {
    SLIPWAY_MOUNT_READ_ONLY = 1,
    SLIPWAY_MOUNT_DEVICES = 2,      // device files work
    SLIPWAY_MOUNT_NO_PROGRAMS = 4,  // programs are not executed
    SLIPWAY_MOUNT_OPTIONAL = 8,     // a source that is missing is left out
};

/// One step in making the file system of a sandbox.
struct slipway_mount {
    int kind;
    int flags;
    const char *source;
    const char *target;  // in the sandbox, absolute; missing directories are made
    const char *data;
};

/// Where the host's file system is while that of a sandbox is made.
#define SLIPWAY_OLD_ROOT "/.host"
/// A directory of every sandbox; the parts of a layer are there while it is made.
#define SLIPWAY_STAGE "/run"

struct slipway_sandbox {
    int joined;               // a pidfd of a process whose sandbox it is to be; -1: a new one
    int has_user_namespace;   // for hosts that are not root
    int network;              // of a new one: a namespace to go into; -1: the host's
    int namespaces;           // the CLONE_NEW… flags of the other ones
    const char *user_map;     // with a user namespace, what is written to uid_map and gid_map
    const char *group_map;
    // With `joined`: a user namespace within that one's, for the process alone; NULL: none. Runtimes have the host's user be
    // root in theirs; here it is itself again.
    const char *inner_user_map;
    const char *inner_group_map;
    int maps_owner;  // what belongs to this process's user belongs, in a layered tree, to the one that is changed to
    const struct slipway_mount *mounts;  // with `joined`: what is added to that one's sandbox
    size_t mount_count;
    char *const *init_argv;   // what the first process is called in lists of processes
    struct slipway_limit init_brand;
};

struct slipway_spawn_options {
    const char *path;  // resolved by the caller; relative paths count from `directory`
    char *const *argv;
    char *const *envp;
    const char *directory;
    int input;   // becomes descriptor 0
    int output;  // becomes descriptors 1 and 2
    int notification;         // becomes descriptor `notification_number`; unused when that is 0
    int notification_number;  // 3 or more
    int controlling_terminal;  // `input` is a terminal, which becomes that of the session
    // Others than this process could get at the child before it executes: their instance is around it, or it is of their
    // user. It then has memory of its own, and is given up when that takes too long.
    int is_exposed;
    int change_user;
    uid_t uid;
    gid_t gid;
    const gid_t *groups;  // with change_user: the supplementary groups
    size_t group_count;
    int no_new_privileges;
    int drop_capabilities;
    const int *control_groups;  // `cgroup.procs` files, open for writing
    size_t control_group_count;
    const struct slipway_limit *limits;
    size_t limit_count;
    const struct slipway_sandbox *sandbox;  // NULL: none
};

struct slipway_spawn_result {
    pid_t pid;
    int pidfd;
    pid_t init_pid;  // of a new sandbox: its first process, a child of this one; with its end everything in it ends
    int init_pidfd;
    int error;  // 0 or an errno
    int step;   // an enum slipway_spawn_step
    int mount;  // at SLIPWAY_STEP_MOUNT: which one, or -1
};

/// Starts a process as the leader of a session of its own and returns once it has been executed, or has failed to.
struct slipway_spawn_result slipway_spawn(const struct slipway_spawn_options *options);

/// The namespaces of a sandbox: mounts, processes, System V IPC, host name.
extern const int slipway_sandbox_namespaces;

/// A network namespace with a link to the host's.
struct slipway_network {
    int descriptor;    // by which it is gone into; -1 on failure
    unsigned link;     // the host's end
    int error;         // 0 or an errno; EEXIST: the link or the address is there already
    const char *step;  // what failed
};
/// Makes one in which nobody is, in IPv4: an instance's end of the link has `address`, the host's has `host`, as those of
/// other networks may. With `forwards`, the host passes on what comes from it, as far as it does so at all; without, its end
/// of the link is in the group `SLIPWAY_LINK_GROUP`.
struct slipway_network slipway_make_network(const char *link_name, uint32_t host, uint32_t address, int forwards);
/// Removes a link. Returns 0 or an errno.
int slipway_remove_link(unsigned link);
/// Makes a table of the packet filter, or makes it anew, that lets nothing through to links whose names begin with
/// `prefix` but answers, and gives what comes from the range and goes elsewhere the host's own address. Returns 0 or an errno.
int slipway_filter_forwarded(const char *table, const char *prefix, uint32_t base, unsigned bits);
/// The group of links to networks from which nothing is passed on. Everything else is in group 0, unless it was told so.
#define SLIPWAY_LINK_GROUP 0x736c7079u
/// Makes a table of the packet filter, or makes it anew, that lets nothing through which comes from or goes to a link of
/// `SLIPWAY_LINK_GROUP`, whatever the machine forwards. Returns 0 or an errno.
int slipway_filter_unforwarded(const char *table);
/// Removes such a table. Returns 0 or an errno: ENOENT when there is none.
int slipway_remove_filter(const char *table);
/// The address of the instance's end, in the network namespace of a process. Returns 0 or an errno.
int slipway_network_address(int pidfd, uint32_t *address);
/// Writes the program of a sandbox's first process to an empty file, which can then be executed. Returns 0 or an errno.
int slipway_write_init_program(int descriptor);
/// The version of Landlock that the kernel has, 0 if none.
int slipway_landlock_version(void);

// The resources of setrlimit; glibc's enum is not one type in Swift.
extern const int slipway_limit_core;
extern const int slipway_limit_data;
extern const int slipway_limit_files;
extern const int slipway_limit_processes;
/// Linux has not enforced this one since 2.4: it serves as a brand that every descendant inherits.
extern const int slipway_limit_resident;

/// Orphaned descendants of this process's children become its children. Returns 0 or an errno.
int slipway_become_subreaper(void);

/// pidfd_open(2), close-on-exec. Returns -1 and sets errno on failure.
int slipway_pidfd_open(pid_t pid);
/// pidfd_send_signal(2). Returns 0 or an errno.
int slipway_pidfd_signal(int pidfd, int signal);

/// How a process ended.
struct slipway_exit {
    int known;      // 0: not ended, or not to be found out
    int signalled;  // 1: `code` is a signal, 0: an exit status
    int code;
};

/// The end of a child of this process, without reaping it: its number stays taken until slipway_reap.
struct slipway_exit slipway_peek_exit(int pidfd);
/// The end of any process that was reaped by its parent, where the kernel keeps it for holders of a pidfd (6.15).
struct slipway_exit slipway_reaped_exit(int pidfd);
/// Decodes a wait status, as field 52 of /proc/PID/stat has it.
struct slipway_exit slipway_decode_status(int status);
/// Reaps a child that has ended; does nothing when it is not a child of this process or still runs.
void slipway_reap(int pidfd);

/// Opens or takes over the FIFO's buffer size as far as the system allows. Returns the size that it has now.
int slipway_grow_pipe(int descriptor, int size);

/// write(2) that answers EPIPE and never raises SIGPIPE, whatever the process does with that signal.
ssize_t slipway_write(int descriptor, const void *bytes, size_t count);

/// A non-blocking TCP socket whose connection to an address of IPv4 has begun (or is made). -1 and errno on failure.
int slipway_connect(uint32_t host, uint16_t port);
/// The pending error of a socket: 0 when its connection is made.
int slipway_socket_error(int descriptor);
/// Whether a server could listen on the port now, on every address.
int slipway_port_is_free(uint16_t port);

/// Takes the exclusive lock of an open file without waiting. Returns 0 or an errno (EWOULDBLOCK: somebody has it).
int slipway_try_lock(int descriptor);

/// Puts the first file in the place of the second, which takes the first one's if it exists and the file system can do
/// that; else it is gone. Returns 0 or an errno.
int slipway_replace(const char *file, const char *place);

/// pipe2(2), close-on-exec; `ends[non_blocking]` does not block, the other does. Returns 0 or an errno.
int slipway_pipe(int ends[2], int non_blocking);

/// A new terminal, close-on-exec: `ends[0]` is whoever sits at it and does not block, `ends[1]` what a program is given.
/// Returns 0 or an errno.
int slipway_open_terminal(int ends[2], uint16_t columns, uint16_t rows);
/// Tells the programs at a terminal its size. Returns 0 or an errno.
int slipway_resize_terminal(int descriptor, uint16_t columns, uint16_t rows);
