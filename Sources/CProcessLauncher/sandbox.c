#define _GNU_SOURCE
#include "child.h"

#ifdef __linux__

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

// How a sandbox comes about. A child that shares the parent's memory, as every one does here, leaves the host's namespaces,
// makes the file system, and then has two children in the new namespace of processes: its first process, a program of two
// instructions that only is there (see init.c), and the instance. Both are siblings rather than children of it
// (CLONE_PARENT): so the host waits for an instance, reads how it ended and keeps its number taken as it does without a
// sandbox.
//
// The other way would be clone(CLONE_NEWPID …) with the instance, or an own program that starts it, as the first process.
// The first is no place for an application: signals without a handler do not reach it, not even from itself, and all
// orphans are its to wait for. The second, as others have it, needs a program at a known path, and hides the end of the
// instance behind its own.
//
// Everything here is async-signal-safe, and nothing is allocated.

// What libraries' headers have of these differs, and the kernel's own are in conflict with some of them.
#define TREE_CLONE 1u
#define TREE_RECURSIVE 0x8000u
#define FROM_EMPTY_PATH 4u
#define ATTRIBUTE_READ_ONLY 1u
#define ATTRIBUTE_NO_SET_USER_ID 2u
#define ATTRIBUTE_NO_DEVICES 4u
#define ATTRIBUTE_NO_PROGRAMS 8u
#define ATTRIBUTE_OWNER_MAP 0x100000u
struct mount_attributes {
    uint64_t set, clear, propagation, user_namespace;
};

const int slipway_sandbox_namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;

static int write_file(const char *path, const char *text) {
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return -1;
    ssize_t written = write(descriptor, text, strlen(text));
    int error = errno;
    close(descriptor);
    errno = error;
    return written < 0 ? -1 : 0;
}

int slipway_map_user(const char *user_map, const char *group_map) {
    // Without rights outside, a process may map itself alone, and only once it cannot leave groups any more.
    if (write_file("/proc/self/setgroups", "deny") != 0) return -1;
    if (write_file("/proc/self/uid_map", user_map) != 0) return -1;
    return write_file("/proc/self/gid_map", group_map);
}

static int leave_namespaces(const struct slipway_sandbox *sandbox) {
    if (!sandbox->has_user_namespace) return unshare(sandbox->namespaces);
    if (unshare(sandbox->namespaces | CLONE_NEWUSER) != 0) return -1;
    return slipway_map_user(sandbox->user_map, sandbox->group_map);
}

// Makes the directories above a path and, if wanted, the last one.
static int make_directories(const char *path, int including_last) {
    char copy[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof copy) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(copy, path, length + 1);
    for (size_t index = 1; index < length; index++) {
        if (copy[index] != '/') continue;
        copy[index] = 0;
        if (mkdir(copy, 0755) != 0 && errno != EEXIST && errno != EROFS) return -1;
        copy[index] = '/';
    }
    if (!including_last) return 0;
    return mkdir(copy, 0755) == 0 || errno == EEXIST || errno == EROFS ? 0 : -1;
}

static int make_target(int tree, const char *target) {
    struct stat information;
    if (fstat(tree, &information) != 0) return -1;
    if (S_ISDIR(information.st_mode)) return make_directories(target, 1);
    if (make_directories(target, 0) != 0) return -1;
    int file = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    if (file < 0) return errno == EEXIST || errno == EROFS ? 0 : -1;
    close(file);
    return 0;
}

static int add_tree(const struct slipway_mount *mount) {
    int tree = (int)syscall(
        428 /* open_tree */, AT_FDCWD, mount->source, TREE_CLONE | TREE_RECURSIVE | O_CLOEXEC);
    if (tree < 0) {
        int is_absent = (mount->flags & SLIPWAY_MOUNT_OPTIONAL) && (errno == ENOENT || errno == ENOTDIR);
        return is_absent ? 0 : -1;
    }
    // Flags are only ever added: in a user namespace, those of the host's mounts cannot be taken away.
    struct mount_attributes attributes = {.set = ATTRIBUTE_NO_SET_USER_ID};
    if (mount->flags & SLIPWAY_MOUNT_READ_ONLY) attributes.set |= ATTRIBUTE_READ_ONLY;
    if (!(mount->flags & SLIPWAY_MOUNT_DEVICES)) attributes.set |= ATTRIBUTE_NO_DEVICES;
    if (mount->flags & SLIPWAY_MOUNT_NO_PROGRAMS) attributes.set |= ATTRIBUTE_NO_PROGRAMS;
    int outcome = -1;
    if (syscall(442 /* mount_setattr */, tree, "", AT_EMPTY_PATH | TREE_RECURSIVE, &attributes, sizeof attributes)
        == 0) {
        outcome = mount->kind == SLIPWAY_MOUNT_MASK ? 0 : make_target(tree, mount->target);
    }
    if (outcome == 0) {
        outcome = (int)syscall(429 /* move_mount */, tree, "", AT_FDCWD, mount->target, FROM_EMPTY_PATH);
        if (outcome != 0 && mount->kind == SLIPWAY_MOUNT_MASK && errno == ENOENT) outcome = 0;
    }
    int error = errno;
    close(tree);
    errno = error;
    return outcome;
}

// A tree that is read-only beneath a layer of its sandbox's own: whoever writes, writes to that, and it is gone with the last
// process. Both are put where nobody looks while the layered tree is made of them, and taken away from there.
static int add_layered(const struct slipway_mount *this, const struct child_context *context) {
    const char *const lower = SLIPWAY_STAGE "/lower", *const upper = SLIPWAY_STAGE "/upper";
    const int has_user_namespace = context->options->sandbox->has_user_namespace;
    int tree = (int)syscall(428 /* open_tree */, AT_FDCWD, this->source, TREE_CLONE | O_CLOEXEC);
    if (tree < 0) return -1;
    struct mount_attributes attributes = {
        .set = ATTRIBUTE_READ_ONLY | ATTRIBUTE_NO_SET_USER_ID | ATTRIBUTE_NO_DEVICES};
    if (context->owner_map >= 0) {
        attributes.set |= ATTRIBUTE_OWNER_MAP;
        attributes.user_namespace = (uint64_t)context->owner_map;
    }
    int outcome = (int)syscall(442 /* mount_setattr */, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
    if (outcome == 0) outcome = make_directories(this->target, 1);
    if (outcome == 0) outcome = mount("tmpfs", SLIPWAY_STAGE, "tmpfs", MS_NOSUID | MS_NODEV, this->data);
    if (outcome != 0) {
        int error = errno;
        close(tree);
        errno = error;
        return -1;
    }
    if (mkdir(lower, 0700) != 0 || mkdir(upper, 0700) != 0 || mkdir(SLIPWAY_STAGE "/work", 0700) != 0) outcome = -1;
    if (outcome == 0) outcome = (int)syscall(429 /* move_mount */, tree, "", AT_FDCWD, lower, FROM_EMPTY_PATH);
    // The top of the layered tree is that of the layer, so it has to be whose that of the tree is.
    struct stat top;
    if (outcome == 0) outcome = stat(lower, &top);
    if (outcome == 0) outcome = chown(upper, top.st_uid, top.st_gid);
    if (outcome == 0) outcome = chmod(upper, top.st_mode & 07777);
    // In a user namespace, what is removed and renamed is noted in attributes of the user's; before Linux 6.6 a tmpfs has
    // none, and a directory that takes the place of another would fail later and not here.
    if (outcome == 0 && has_user_namespace) outcome = setxattr(upper, "user.slipway", "", 0, 0);
    if (outcome == 0) {
        outcome = mount("overlay", this->target, "overlay", MS_NOSUID | MS_NODEV,
            has_user_namespace
                ? "lowerdir=" SLIPWAY_STAGE "/lower,upperdir=" SLIPWAY_STAGE "/upper,workdir=" SLIPWAY_STAGE
                  "/work,userxattr"
                // Directories can be renamed, and two names of one file in the tree do not become one in the layer.
                : "lowerdir=" SLIPWAY_STAGE "/lower,upperdir=" SLIPWAY_STAGE "/upper,workdir=" SLIPWAY_STAGE
                  "/work,redirect_dir=on,index=off");
    }
    int error = errno;
    close(tree);
    if (umount2(SLIPWAY_STAGE, MNT_DETACH) != 0) return -1;
    errno = error;
    return outcome;
}

static int add_new(const struct slipway_mount *this) {
    if (make_directories(this->target, 1) != 0) return -1;
    unsigned long flags = MS_NOSUID;
    if (this->flags & SLIPWAY_MOUNT_READ_ONLY) flags |= MS_RDONLY;
    if (!(this->flags & SLIPWAY_MOUNT_DEVICES)) flags |= MS_NODEV;
    if (this->flags & SLIPWAY_MOUNT_NO_PROGRAMS) flags |= MS_NOEXEC;
    return mount(this->source, this->target, this->source, flags, this->data);
}

static int add(const struct slipway_mount *mount, const struct child_context *context) {
    switch (mount->kind) {
    case SLIPWAY_MOUNT_DIRECTORY: return make_directories(mount->target, 1);
    case SLIPWAY_MOUNT_SYMLINK:
        if (make_directories(mount->target, 0) != 0) return -1;
        return symlink(mount->source, mount->target);
    case SLIPWAY_MOUNT_NEW: return add_new(mount);
    case SLIPWAY_MOUNT_LAYERED: return add_layered(mount, context);
    default: return add_tree(mount);
    }
}

static int add_all(struct child_context *context) {
    const struct slipway_sandbox *sandbox = context->options->sandbox;
    for (size_t index = 0; index < sandbox->mount_count; index++) {
        context->mount = (int)index;
        if (add(&sandbox->mounts[index], context) != 0) return -1;
    }
    context->mount = -1;
    return 0;
}

// The new root begins empty, with the host's beneath it to take from, and ends read-only, without it.
static int make_root(struct child_context *context) {
    // Any directory that is everywhere serves: after pivot_root it is itself again, beneath the old root.
    const char *place = "/tmp";
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return -1;
    if (mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") != 0) return -1;
    if (chdir(place) != 0 || mkdir("." SLIPWAY_OLD_ROOT, 0700) != 0) return -1;
    if (syscall(SYS_pivot_root, ".", "." SLIPWAY_OLD_ROOT) != 0 || chdir("/") != 0) return -1;
    if (add_all(context) != 0) return -1;
    if (umount2(SLIPWAY_OLD_ROOT, MNT_DETACH) != 0 || rmdir(SLIPWAY_OLD_ROOT) != 0) return -1;
    return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL);
}

static int init_main(void *argument) {
    struct child_context *context = argument;
    const struct slipway_spawn_options *options = context->options;

    // By this process, for /proc shows the namespace of whoever mounts it. That of its creator, which has the same mounts,
    // has its root changed with it.
    umask(0);
    if (make_root(context) != 0) FAIL(SLIPWAY_STEP_MOUNT);
    slipway_reset_signals();
    // Whoever comes to it is reaped by the kernel. Nothing but a handler, and that one is SIG_IGN.
    const uint64_t ignore[8] = {1};
    syscall(SYS_rt_sigaction, SIGCHLD, ignore, NULL, 8);
    if (setsid() < 0) FAIL(SLIPWAY_STEP_INIT);
    struct slipway_limit no_core = {.resource = RLIMIT_CORE, .value = 0};
    if (slipway_set_limit(&no_core) != 0) FAIL(SLIPWAY_STEP_INIT);
    if (slipway_set_limit(&options->sandbox->init_brand) != 0) FAIL(SLIPWAY_STEP_INIT);
    int step = slipway_give_up_rights(options);
    if (step != SLIPWAY_STEP_NONE) FAIL(step);
    slipway_close_on_exec_from(0, context->descriptor_end);
    if (slipway_filter_system_calls() != 0) FAIL(SLIPWAY_STEP_FILTER);
    char *const environment[] = {NULL};
    syscall(SYS_execveat, context->init_program, "", options->sandbox->init_argv, environment, AT_EMPTY_PATH);
    FAIL(SLIPWAY_STEP_INIT);
}

// The process that a user namespace takes; with this process's memory, so that nothing is copied for it.
static int map_main(void *argument) {
    // If the host ends now, nothing of it must stay: not this process, and not what it has open.
    syscall(SYS_close_range, 0u, ~0u, 0u);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != (pid_t)(intptr_t)argument) _exit(0);
    // Every signal that could end the wait is blocked.
    for (;;) syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
    return 0;
}

static int write_map(pid_t pid, const char *name, unsigned from, unsigned to) {
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    snprintf(text, sizeof text, "%u %u 1", from, to);
    return write_file(path, text);
}

int slipway_open_owner_map(uid_t from, uid_t to, gid_t from_group, gid_t to_group) {
    const size_t room = 64 * 1024;
    char *stack = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return -1;
    sigset_t all, previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    // No signal at its end: nobody but this function is to wait for it.
    pid_t pid = clone(map_main, stack + room, CLONE_VM | CLONE_NEWUSER, (void *)(intptr_t)getpid());
    int error = errno, descriptor = -1;
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    if (pid > 0) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
        if (write_map(pid, "uid_map", from, to) == 0 && write_map(pid, "gid_map", from_group, to_group) == 0) {
            descriptor = open(path, O_RDONLY | O_CLOEXEC);
        }
        error = errno;
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR) {}
    }
    munmap(stack, room);
    errno = error;
    return descriptor;
}

int slipway_sandbox_main(void *argument) {
    struct child_context *context = argument;
    const struct slipway_sandbox *sandbox = context->options->sandbox;
    const int sharing = context->sharing | CLONE_PARENT | SIGCHLD;

    if (sandbox->joined >= 0) {
        // Whatever network that one has; without rights it has the host's, which cannot be gone into.
        int namespaces = sandbox->namespaces | (sandbox->has_user_namespace ? CLONE_NEWUSER : CLONE_NEWNET);
        if (setns(sandbox->joined, namespaces) != 0) FAIL(SLIPWAY_STEP_NAMESPACES);
        umask(0);
        if (add_all(context) != 0) FAIL(SLIPWAY_STEP_MOUNT);
    } else {
        if (sandbox->network >= 0 && setns(sandbox->network, CLONE_NEWNET) != 0) FAIL(SLIPWAY_STEP_NAMESPACES);
        if (chdir("/") != 0 || leave_namespaces(sandbox) != 0) FAIL(SLIPWAY_STEP_NAMESPACES);
        context->init = clone(init_main, context->init_stack, sharing, context);
        if (context->init < 0) FAIL(SLIPWAY_STEP_INIT);
        if (context->step != SLIPWAY_STEP_NONE) _exit(127);
    }
    context->main = clone(slipway_child_main, context->main_stack, sharing, context);
    if (context->main < 0) FAIL(SLIPWAY_STEP_CLONE);
    _exit(0);
}

#endif
