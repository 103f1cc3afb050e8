#if defined(__linux__)

#define _GNU_SOURCE
#include "CRouterIO.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int local_socket(const char *path, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;
    strcpy(address->sun_path, path);
    int descriptor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return descriptor < 0 ? -errno : descriptor;
}

int slipway_io_local_listen(const char *path, int backlog) {
    struct sockaddr_un address;
    int descriptor = local_socket(path, &address);
    if (descriptor < 0) return descriptor;
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0) {
        // Nobody can connect before it listens, so nobody can before the mode is right.
        if (chmod(path, S_IRUSR | S_IWUSR) == 0 && listen(descriptor, backlog) == 0) return descriptor;
        int error = errno;
        unlink(path);
        errno = error;
    }
    int error = errno;
    close(descriptor);
    return -error;
}

int slipway_io_local_connect(const char *path) {
    struct sockaddr_un address;
    int descriptor = local_socket(path, &address);
    if (descriptor < 0) return descriptor;
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0) return descriptor;
    int error = errno;
    close(descriptor);
    return -error;
}

int slipway_io_peer(int descriptor, uint32_t *user, int *process) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -errno;
    *user = peer.uid;
    *process = peer.pid;
    return 0;
}

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * SLIPWAY_MAX_DESCRIPTORS)];
};

ssize_t slipway_io_send_message(int descriptor, const void *bytes, size_t size, const int *passed, int count) {
    struct iovec vector = { (void *)bytes, size };
    struct msghdr message;
    union control control;
    memset(&message, 0, sizeof message);
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (count > SLIPWAY_MAX_DESCRIPTORS) return -EMSGSIZE;
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
        memcpy(CMSG_DATA(header), passed, sizeof(int) * (size_t)count);
    }
    ssize_t sent;
    do {
        sent = sendmsg(descriptor, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

ssize_t slipway_io_receive_message(int descriptor, void *bytes, size_t size, int *passed, int *count) {
    struct iovec vector = { bytes, size };
    struct msghdr message;
    union control control;
    memset(&message, 0, sizeof message);
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control;
    ssize_t got;
    int resets = 0;
    do {
        got = recvmsg(descriptor, &message, MSG_CMSG_CLOEXEC);
        // A peer that closes with something unread resets the connection. What it sent before is still there: the error
        // is told once, and then the message.
    } while (got < 0 && (errno == EINTR || (errno == ECONNRESET && ++resets == 1)));
    *count = 0;
    if (got < 0) return -errno;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        int number = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int index = 0; index < number && *count < SLIPWAY_MAX_DESCRIPTORS; index++) {
            memcpy(&passed[(*count)++], CMSG_DATA(header) + sizeof(int) * (size_t)index, sizeof(int));
        }
    }
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        for (int index = 0; index < *count; index++) close(passed[index]);
        *count = 0;
        return -EMSGSIZE;
    }
    return got;
}

#endif
