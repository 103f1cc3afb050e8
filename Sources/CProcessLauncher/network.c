#define _GNU_SOURCE
#include "CProcessLauncher.h"

#ifdef __linux__

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// A network of an instance's own is a namespace with two links, the loopback and one end of a pair whose other end is the
// host's. The kernel keeps all of it for as long as somebody is in the namespace, and removes it with the last: so there is
// nothing to be recorded, and nothing to be left behind.

// MARK: Going into a namespace

// A child that shares this process's descriptors goes there and opens what is needed, so that no thread of this process is
// ever anywhere else.
struct visit {
    int pidfd;   // whose namespace; -1: a new one
    int domain;  // of the socket that is opened there
    int protocol;
    int descriptor;
    int socket;
    int error;
};

static int visit_main(void *argument) {
    struct visit *visit = argument;
    int outcome = visit->pidfd >= 0 ? setns(visit->pidfd, CLONE_NEWNET) : unshare(CLONE_NEWNET);
    if (outcome == 0) {
        visit->descriptor = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        visit->socket = socket(visit->domain, SOCK_DGRAM | SOCK_CLOEXEC, visit->protocol);
    }
    if (visit->descriptor < 0 || visit->socket < 0) visit->error = errno;
    _exit(0);
}

static int make_visit(struct visit *visit) {
    char stack[32768] __attribute__((aligned(16)));
    visit->descriptor = visit->socket = -1;
    visit->error = 0;
    // Without a signal at its end: it is nobody's business but this function's.
    sigset_t all, previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    pid_t pid = clone(visit_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_FILES, visit);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    if (pid < 0) return error;
    while (waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR) {}
    // Killed before it was done.
    if (visit->error == 0 && (visit->descriptor < 0 || visit->socket < 0)) visit->error = ECANCELED;
    if (visit->error == 0) return 0;
    if (visit->descriptor >= 0) close(visit->descriptor);
    if (visit->socket >= 0) close(visit->socket);
    return visit->error;
}

// MARK: Asking the kernel

struct request {
    struct nlmsghdr header;
    char body[768];
};

static void *extend(struct request *request, size_t length) {
    void *place = (char *)request + NLMSG_ALIGN(request->header.nlmsg_len);
    request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + (uint32_t)length;
    return place;
}

static void begin_request(struct request *request, uint16_t type, uint16_t flags, const void *head, size_t length) {
    memset(request, 0, sizeof *request);
    request->header.nlmsg_len = NLMSG_HDRLEN;
    request->header.nlmsg_type = type;
    request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    memcpy(extend(request, length), head, length);
}

static struct rtattr *add(struct request *request, uint16_t type, const void *data, size_t length) {
    struct rtattr *attribute = extend(request, RTA_LENGTH(length));
    attribute->rta_type = type;
    attribute->rta_len = (uint16_t)RTA_LENGTH(length);
    if (length > 0) memcpy(RTA_DATA(attribute), data, length);
    return attribute;
}

static void end_nest(struct request *request, struct rtattr *nest) {
    nest->rta_len = (uint16_t)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len) - (char *)nest);
}

// Returns 0 or an errno.
static int ask(int socket, struct request *request) {
    if (send(socket, request, request->header.nlmsg_len, 0) < 0) return errno;
    char answer[4096] __attribute__((aligned(4)));
    ssize_t length;
    do {
        length = recv(socket, answer, sizeof answer, 0);
    } while (length < 0 && errno == EINTR);
    if (length < 0) return errno;
    struct nlmsghdr *header = (struct nlmsghdr *)answer;
    if (length < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) || header->nlmsg_type != NLMSG_ERROR) return EPROTO;
    return -((struct nlmsgerr *)NLMSG_DATA(header))->error;
}

static void add_queue(struct request *request) {
    uint32_t one = 1;  // by default one for each processor, which is memory
    add(request, IFLA_NUM_TX_QUEUES, &one, sizeof one);
    add(request, IFLA_NUM_RX_QUEUES, &one, sizeof one);
}

static const char own_name[] = "eth0";
static const unsigned loopback = 1;

// The number of the instance's link, in the namespace of a socket. 0 and errno on failure.
static unsigned own_link(int socket) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    memcpy(request.ifr_name, own_name, sizeof own_name);
    return ioctl(socket, SIOCGIFINDEX, &request) == 0 ? (unsigned)request.ifr_ifindex : 0;
}

static int add_pair(int socket, const char *name, int namespace, int forwards) {
    struct request request;
    struct ifinfomsg head = {.ifi_family = AF_UNSPEC};
    begin_request(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
    add(&request, IFLA_IFNAME, name, strlen(name) + 1);
    const uint32_t group = SLIPWAY_LINK_GROUP;
    if (!forwards) add(&request, IFLA_GROUP, &group, sizeof group);
    add_queue(&request);
    struct rtattr *information = add(&request, IFLA_LINKINFO, NULL, 0);
    add(&request, IFLA_INFO_KIND, "veth", 5);
    struct rtattr *data = add(&request, IFLA_INFO_DATA, NULL, 0);
    struct rtattr *peer = add(&request, VETH_INFO_PEER, NULL, 0);
    memcpy(extend(&request, sizeof head), &head, sizeof head);
    add(&request, IFLA_IFNAME, own_name, sizeof own_name);
    add(&request, IFLA_NET_NS_FD, &namespace, sizeof namespace);
    add_queue(&request);
    end_nest(&request, peer);
    end_nest(&request, data);
    end_nest(&request, information);
    return ask(socket, &request);
}

static int set_up(int socket, unsigned link) {
    struct request request;
    struct ifinfomsg head = {
        .ifi_family = AF_UNSPEC, .ifi_index = (int)link, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    begin_request(&request, RTM_NEWLINK, 0, &head, sizeof head);
    return ask(socket, &request);
}

// An address of one end alone, with the route to the other one.
static int add_address(int socket, unsigned link, uint32_t own, uint32_t other) {
    struct request request;
    struct ifaddrmsg head = {.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = link};
    begin_request(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
    own = htonl(own);
    other = htonl(other);
    add(&request, IFA_LOCAL, &own, sizeof own);
    add(&request, IFA_ADDRESS, &other, sizeof other);
    return ask(socket, &request);
}

static int add_default_route(int socket, unsigned link, uint32_t gateway) {
    struct request request;
    struct rtmsg head = {
        .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC,
        .rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST};
    begin_request(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
    gateway = htonl(gateway);
    add(&request, RTA_GATEWAY, &gateway, sizeof gateway);
    add(&request, RTA_OIF, &link, sizeof link);
    return ask(socket, &request);
}

int slipway_remove_link(unsigned link) {
    int socket_ = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (socket_ < 0) return errno;
    struct request request;
    struct ifinfomsg head = {.ifi_family = AF_UNSPEC, .ifi_index = (int)link};
    begin_request(&request, RTM_DELLINK, 0, &head, sizeof head);
    int error = ask(socket_, &request);
    close(socket_);
    return error;
}

// MARK: Keeping instances from what is not theirs

// Sets one setting of a link. Where settings cannot be written, as in some containers, one that is so already will do.
static int set(const char *family, const char *link, const char *name, char value) {
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/net/%s/conf/%s/%s", family, link, name);
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    int error = descriptor < 0 || write(descriptor, &value, 1) != 1 ? errno : 0;
    if (descriptor >= 0) close(descriptor);
    if (error == 0) return 0;
    char present = 0;
    descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return errno;
    if (read(descriptor, &present, 1) == 1 && present == value) error = 0;
    close(descriptor);
    return error;
}

static int protect(const char *link, int forwards) {
    int error;
    // Whoever takes another's address for its own is not listened to.
    if ((error = set("ipv4", link, "rp_filter", '1')) != 0) return error;
    // What listens on the host's loopback alone is the host's alone.
    if ((error = set("ipv4", link, "route_localnet", '0')) != 0) return error;
    // What comes from the link is for the host, or dropped.
    if ((error = set("ipv4", link, "forwarding", forwards ? '1' : '0')) != 0) return error;
    if ((error = set("ipv4", link, "proxy_arp", '0')) != 0) return error;
    // Every link would have an address of its own.
    error = set("ipv6", link, "disable_ipv6", '1');
    return error == ENOENT ? 0 : error;
}

struct slipway_network slipway_make_network(const char *name, uint32_t host, uint32_t address, int forwards) {
    struct slipway_network network = {.descriptor = -1, .link = 0, .step = "make a network namespace"};
    struct visit visit = {.pidfd = -1, .domain = AF_NETLINK, .protocol = NETLINK_ROUTE};
    network.error = make_visit(&visit);
    if (network.error != 0) return network;
    network.step = "make a pair of links";
    int outer = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_ROUTE);
    network.error = outer < 0 ? errno : add_pair(outer, name, visit.descriptor, forwards);
    if (network.error != 0) goto done;
    network.link = if_nametoindex(name);
    unsigned inner = own_link(visit.socket);
    network.error = network.link == 0 || inner == 0 ? errno : 0;
    if (network.error != 0) goto done;
    network.step = "protect the host's link";
    if ((network.error = protect(name, forwards)) != 0) goto done;
    network.step = "give the links addresses";
    if ((network.error = add_address(outer, network.link, host, address)) != 0) goto done;
    if ((network.error = add_address(visit.socket, inner, address, host)) != 0) goto done;
    network.step = "set the links up";
    if ((network.error = set_up(outer, network.link)) != 0) goto done;
    if ((network.error = set_up(visit.socket, loopback)) != 0) goto done;
    if ((network.error = set_up(visit.socket, inner)) != 0) goto done;
    network.step = "set the way to the host";
    network.error = add_default_route(visit.socket, inner, host);
done:
    close(visit.socket);
    if (outer >= 0) close(outer);
    if (network.error == 0) {
        network.descriptor = visit.descriptor;
    } else {
        close(visit.descriptor);
        if (network.link != 0) slipway_remove_link(network.link);
        network.link = 0;
    }
    return network;
}

int slipway_network_address(int pidfd, uint32_t *address) {
    struct visit visit = {.pidfd = pidfd, .domain = AF_INET, .protocol = 0};
    int error = make_visit(&visit);
    if (error != 0) return error;
    struct ifreq request;
    memset(&request, 0, sizeof request);
    memcpy(request.ifr_name, own_name, sizeof own_name);
    error = ioctl(visit.socket, SIOCGIFADDR, &request) == 0 ? 0 : errno;
    if (error == 0) *address = ntohl(((struct sockaddr_in *)&request.ifr_addr)->sin_addr.s_addr);
    close(visit.socket);
    close(visit.descriptor);
    return error;
}

#endif
