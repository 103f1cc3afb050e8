#define _GNU_SOURCE
#include "child.h"

#ifdef __linux__

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
// 16-bit variants exist on 32-bit systems, where the plain numbers would cut user ids.
#ifdef SYS_setresuid32
#define SLIPWAY_SETRESUID SYS_setresuid32
#define SLIPWAY_SETRESGID SYS_setresgid32
#define SLIPWAY_SETGROUPS SYS_setgroups32
#else
#define SLIPWAY_SETRESUID SYS_setresuid
#define SLIPWAY_SETRESGID SYS_setresgid
#define SLIPWAY_SETGROUPS SYS_setgroups
#endif

const int slipway_limit_core = RLIMIT_CORE;
const int slipway_limit_data = RLIMIT_DATA;
const int slipway_limit_files = RLIMIT_NOFILE;
const int slipway_limit_processes = RLIMIT_NPROC;
const int slipway_limit_resident = RLIMIT_RSS;

int slipway_set_limit(const struct slipway_limit *limit) {
    struct rlimit current;
    if (getrlimit(limit->resource, &current) != 0) return -1;
    rlim_t value = (rlim_t)limit->value;
    // Without CAP_SYS_RESOURCE the hard limit can only sink.
    if (current.rlim_max != RLIM_INFINITY && value > current.rlim_max) value = current.rlim_max;
    struct rlimit wanted = {.rlim_cur = value, .rlim_max = value};
    return setrlimit(limit->resource, &wanted);
}

// With an empty bounding set and no_new_privs, no execve gives any of them back: not to root, not by set-user-id, not by
// file capabilities. Before the user is changed, for that takes the right to away.
static int empty_bounding_set(int *is_empty) {
    for (unsigned long capability = 0; capability < 64; capability++) {
        if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) != 1) continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
        // Who may not has no capability to hand down, either; no_new_privs keeps it so.
        return errno == EPERM ? 0 : -1;
    }
    *is_empty = 1;
    return 0;
}

// Until the execve, this process has the parent's memory. Others of the same user could look into it from the moment on
// that they have the same rights: so what is *permitted* stays, unused, and the execve itself takes it away, as the
// bounding set is empty.
static int drop_capabilities(int until_execve) {
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) return -1;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct rights[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (until_execve && syscall(SYS_capget, &header, rights) != 0) return -1;
    for (int index = 0; index < _LINUX_CAPABILITY_U32S_3; index++) {
        rights[index].effective = rights[index].inheritable = 0;
    }
    return (int)syscall(SYS_capset, &header, rights);
}

void slipway_close_on_exec_from(int first, long end) {
    // Close on exec rather than close: the host's state lock must stay held until the execve is through, so that a
    // successor which gets the lock sees either no process or one that carries its mark.
    if (syscall(SYS_close_range, (unsigned)first, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
    for (long descriptor = first; descriptor < end; descriptor++) fcntl((int)descriptor, F_SETFD, FD_CLOEXEC);
}

void slipway_reset_signals(void) {
    // Raw calls: glibc's would refuse the two signals that it keeps to itself, and those may be ignored here as well.
    // Nothing but zeros is the default action, with no flags and an empty mask, however the kernel arranges them.
    static const uint64_t reset[8] = {0};
    for (int number = 1; number < 65; number++) syscall(SYS_rt_sigaction, number, reset, NULL, 8);
}

int slipway_give_up_rights(const struct slipway_spawn_options *options) {
    int is_bounded = 0;
    if (options->drop_capabilities && empty_bounding_set(&is_bounded) != 0) return SLIPWAY_STEP_CAPABILITIES;
    if (options->change_user) {
        // Raw calls: glibc's wrappers would signal every thread of the parent, whose memory this is.
        if (syscall(SLIPWAY_SETGROUPS, options->group_count, options->groups) != 0) return SLIPWAY_STEP_USER;
        if (syscall(SLIPWAY_SETRESGID, options->gid, options->gid, options->gid) != 0) return SLIPWAY_STEP_USER;
        if (syscall(SLIPWAY_SETRESUID, options->uid, options->uid, options->uid) != 0) return SLIPWAY_STEP_USER;
    }
    if (options->drop_capabilities && drop_capabilities(is_bounded) != 0) return SLIPWAY_STEP_CAPABILITIES;
    if (options->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return SLIPWAY_STEP_PRIVILEGES;
    return SLIPWAY_STEP_NONE;
}

int slipway_child_main(void *argument) {
    struct child_context *context = argument;
    const struct slipway_spawn_options *options = context->options;

    slipway_reset_signals();
    if (setsid() < 0) FAIL(SLIPWAY_STEP_SESSION);
    umask(022);
    // "0" is whoever writes it. First of all, so that everything that follows is counted and nothing of it can get away.
    for (size_t index = 0; index < options->control_group_count; index++) {
        if (write(options->control_groups[index], "0", 1) != 1) FAIL(SLIPWAY_STEP_GROUP);
    }
    if (options->sandbox && options->sandbox->inner_user_map) {
        if (unshare(CLONE_NEWUSER) != 0) FAIL(SLIPWAY_STEP_NAMESPACES);
        // Here, where /proc is that of the namespace of processes that this one is in; and before the limits, for it opens files.
        if (slipway_map_user(options->sandbox->inner_user_map, options->sandbox->inner_group_map) != 0) {
            FAIL(SLIPWAY_STEP_NAMESPACES);
        }
    }
    int scope = options->sandbox ? slipway_open_socket_scope() : -1;
    if (scope == -2) FAIL(SLIPWAY_STEP_FILTER);
    for (size_t index = 0; index < options->limit_count; index++) {
        if (slipway_set_limit(&options->limits[index]) != 0) FAIL(SLIPWAY_STEP_LIMIT);
    }
    int step = slipway_give_up_rights(options);
    if (step != SLIPWAY_STEP_NONE) FAIL(step);
    if (slipway_scope_sockets(scope) != 0) FAIL(SLIPWAY_STEP_FILTER);
    if (chdir(options->directory) != 0) FAIL(SLIPWAY_STEP_DIRECTORY);
    if (dup2(context->input, 0) < 0 || dup2(context->output, 1) < 0 || dup2(context->output, 2) < 0) {
        FAIL(SLIPWAY_STEP_DESCRIPTORS);
    }
    // The session is its own and has none yet; who leads it may take one that nobody else has.
    if (options->controlling_terminal && ioctl(0, TIOCSCTTY, 0) != 0) FAIL(SLIPWAY_STEP_DESCRIPTORS);
    // After the last use of the descriptors above 2, for it may take the number of one.
    if (options->notification_number > 2 && dup2(context->notification, options->notification_number) < 0) {
        FAIL(SLIPWAY_STEP_DESCRIPTORS);
    }
    slipway_close_on_exec_from(3, context->descriptor_end);
    if (options->notification_number > 2 && fcntl(options->notification_number, F_SETFD, 0) != 0) {
        FAIL(SLIPWAY_STEP_DESCRIPTORS);
    }

    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    // Last of all, for it denies some of what came before.
    if (options->sandbox && slipway_filter_system_calls() != 0) FAIL(SLIPWAY_STEP_FILTER);
    execve(options->path, options->argv, options->envp);
    FAIL(SLIPWAY_STEP_EXECUTE);
}

static void reap(pid_t pid) {
    int status;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
}

// Ends what a failed start has left, all of them children of this process.
static void clean_up(const struct child_context *context) {
    if (context->init > 0) kill(context->init, SIGKILL);
    // In this order: the first process of a namespace waits, as it ends, until all others are reaped.
    reap(context->main);
    reap(context->init);
}

// How long a child that others can get at may take to execute.
static const int exposed_milliseconds = 5000;

// Waits until nobody has the other end of a pipe any more: the child and what it made have executed or ended.
static int wait_for_end(int reading) {
    struct pollfd end = {.fd = reading, .events = POLLIN};
    int outcome;
    do {
        outcome = poll(&end, 1, exposed_milliseconds);
    } while (outcome < 0 && errno == EINTR);
    return outcome > 0;
}

// A child has every descriptor of this process until it executes, and the end of a pipe is the end of all who have it. So a
// pipe that a child is waited for with is made, handed on and closed while no other child is born or has yet to execute.
// Descriptors are the process's, and so is this lock.
static pthread_rwlock_t births = PTHREAD_RWLOCK_INITIALIZER;

// Begins the child and returns when it has executed, or failed. As a rule it borrows this process's memory, for which this
// thread stands still: nothing is copied. Not so when others could get at it: whoever stopped it would stop this thread, and
// a kill of the instance around it for its memory would be one of all that share the child's. -1 and errno on failure.
static pid_t begin(struct child_context *context, int (*body)(void *), char *stack, int *pidfd) {
    if (!context->options->is_exposed) {
        context->sharing = CLONE_VM | CLONE_VFORK;
        pthread_rwlock_rdlock(&births);
        pid_t pid = clone(body, stack, context->sharing | CLONE_PIDFD | SIGCHLD, context, pidfd);
        int error = errno;
        pthread_rwlock_unlock(&births);
        errno = error;
        return pid;
    }
    int ends[2];
    context->sharing = 0;
    pthread_rwlock_wrlock(&births);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        int error = errno;
        pthread_rwlock_unlock(&births);
        errno = error;
        return -1;
    }
    pid_t pid = clone(body, stack, CLONE_PIDFD | SIGCHLD, context, pidfd);
    int error = errno;
    close(ends[1]);
    pthread_rwlock_unlock(&births);
    if (pid > 0 && !wait_for_end(ends[0])) {
        // Nothing stands in the way of this signal, and with it all of them let go of the pipe.
        kill(pid, SIGKILL);
        if (context->main > 0) kill(context->main, SIGKILL);
        if (context->init > 0) kill(context->init, SIGKILL);
        if (context->step == SLIPWAY_STEP_NONE) {
            context->error = ETIMEDOUT;
            context->step = SLIPWAY_STEP_CLONE;
        }
    }
    close(ends[0]);
    errno = error;
    return pid;
}

struct slipway_spawn_result slipway_spawn(const struct slipway_spawn_options *options) {
    struct slipway_spawn_result result = {
        .pid = -1, .pidfd = -1, .init_pid = -1, .init_pidfd = -1, .error = 0, .step = SLIPWAY_STEP_PREPARE};
    const size_t stack_size = 128 * 1024;
    const size_t room = 3 * stack_size;
    char *stacks = MAP_FAILED;
    // Shared also with a child that has its own memory otherwise.
    struct child_context *context =
        mmap(NULL, sizeof *context, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (context == MAP_FAILED) { result.error = errno; return result; }
    *context = (struct child_context){
        .options = options, .input = -1, .output = -1, .notification = options->notification, .owner_map = -1,
        .init_program = -1, .mount = -1, .init = -1, .main = -1};
    struct rlimit descriptors;
    const long most = 1 << 20;
    int is_known = getrlimit(RLIMIT_NOFILE, &descriptors) == 0 && descriptors.rlim_cur < (rlim_t)most;
    context->descriptor_end = is_known ? (long)descriptors.rlim_cur : most;

    // Away from 0, 1 and 2, so that no dup2 in the child overwrites what a later one reads.
    context->input = fcntl(options->input, F_DUPFD_CLOEXEC, 3);
    if (context->input < 0) { result.error = errno; goto done; }
    context->output = fcntl(options->output, F_DUPFD_CLOEXEC, 3);
    if (context->output < 0) { result.error = errno; goto done; }
    if (options->sandbox && options->sandbox->joined < 0) {
        context->init_program = slipway_open_init_program();
        if (context->init_program < 0) { result.error = errno; result.step = SLIPWAY_STEP_INIT; goto done; }
    }
    if (options->sandbox && options->sandbox->maps_owner) {
        context->owner_map = slipway_open_owner_map(geteuid(), options->uid, getegid(), options->gid);
        if (context->owner_map < 0) { result.error = errno; result.step = SLIPWAY_STEP_USER; goto done; }
    }
    stacks = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stacks == MAP_FAILED) { result.error = errno; goto done; }
    context->init_stack = stacks + 2 * stack_size;
    context->main_stack = stacks + 3 * stack_size;

    // No handler of the parent may run in the child, on memory that both share.
    sigset_t all, previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    int pidfd = -1;
    result.step = SLIPWAY_STEP_CLONE;
    pid_t pid =
        begin(context, options->sandbox ? slipway_sandbox_main : slipway_child_main, stacks + stack_size, &pidfd);
    int clone_error = errno;
    pthread_sigmask(SIG_SETMASK, &previous, NULL);

    if (pid < 0) {
        result.error = clone_error;
        goto done;
    }
    if (options->sandbox) {
        // Who made the sandbox has ended; what it made are children of this process, so that their numbers hold.
        reap(pid);
        close(pidfd);
        pid = context->main;
        if (pid <= 0 && context->step == SLIPWAY_STEP_NONE) {
            // A signal ended it, of a policy around this process perhaps.
            context->error = EINTR;
            context->step = SLIPWAY_STEP_NAMESPACES;
        }
        pidfd = context->step == SLIPWAY_STEP_NONE ? slipway_pidfd_open(pid) : -1;
        if (context->step == SLIPWAY_STEP_NONE && context->init > 0) {
            result.init_pid = context->init;
            result.init_pidfd = slipway_pidfd_open(context->init);
        }
    }
    if (context->step != SLIPWAY_STEP_NONE) {
        result.error = context->error;
        result.step = context->step;
        result.mount = context->mount;
        if (options->sandbox) {
            clean_up(context);
        } else {
            reap(pid);
            close(pidfd);
        }
    } else if (pidfd < 0 || (context->init > 0 && result.init_pidfd < 0)) {
        // No descriptor is left for them: neither can be held.
        result.error = EMFILE;
        kill(pid, SIGKILL);
        clean_up(context);
        if (pidfd >= 0) close(pidfd);
        if (result.init_pidfd >= 0) close(result.init_pidfd);
        result.init_pid = result.init_pidfd = -1;
    } else {
        result.pid = pid;
        result.pidfd = pidfd;
        result.step = SLIPWAY_STEP_NONE;
    }
done:
    if (stacks != MAP_FAILED) munmap(stacks, room);
    if (context->input >= 0) close(context->input);
    if (context->output >= 0) close(context->output);
    if (context->init_program >= 0) close(context->init_program);
    if (context->owner_map >= 0) close(context->owner_map);
    munmap(context, sizeof *context);
    return result;
}

int slipway_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 ? 0 : errno; }

int slipway_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int slipway_pidfd_signal(int pidfd, int signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0 ? 0 : errno;
}

#endif
