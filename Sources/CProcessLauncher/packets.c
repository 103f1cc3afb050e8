#define _GNU_SOURCE
#include "CProcessLauncher.h"

#ifdef __linux__

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// What a machine that forwards has to do with the packets of instances, as one table of its packet filter, in the words of
// `nft`:
//
//     chain forward { type filter hook forward priority 0; oifname "PREFIX*" ct state != { established, related } drop; }
//     chain postrouting { type nat hook postrouting priority 100; ip saddr RANGE oifname != "PREFIX*" masquerade; }
//
// And with those of instances for which nothing is forwarded, in a table of its own, as hosts of both kinds may have one range:
//
//     chain forward { type filter hook forward priority 0; iifgroup GROUP drop; oifgroup GROUP drop; }

// All messages at once: the kernel takes all of them or none.
struct batch {
    char bytes[4096];
    size_t length;
    size_t message;  // where the present one begins
};

static void *extend(struct batch *batch, size_t length) {
    void *place = batch->bytes + batch->length;
    batch->length += NLMSG_ALIGN(length);
    ((struct nlmsghdr *)(batch->bytes + batch->message))->nlmsg_len = (uint32_t)(batch->length - batch->message);
    return place;
}

static void begin_message(struct batch *batch, uint16_t type, uint16_t flags, uint8_t family, uint16_t resource) {
    batch->message = batch->length;
    struct nlmsghdr *header = extend(batch, NLMSG_HDRLEN);
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | flags;
    struct nfgenmsg *general = extend(batch, sizeof *general);
    general->nfgen_family = family;
    general->version = NFNETLINK_V0;
    general->res_id = htons(resource);
}

static void begin(struct batch *batch, uint16_t type) {
    begin_message(batch, NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_CREATE | NLM_F_ACK, NFPROTO_IPV4, 0);
}

static void add(struct batch *batch, uint16_t type, const void *data, size_t length) {
    struct nlattr *attribute = extend(batch, NLA_HDRLEN + length);
    attribute->nla_type = type;
    attribute->nla_len = (uint16_t)(NLA_HDRLEN + length);
    memcpy((char *)attribute + NLA_HDRLEN, data, length);
}

static void add_text(struct batch *batch, uint16_t type, const char *text) { add(batch, type, text, strlen(text) + 1); }

static void add_number(struct batch *batch, uint16_t type, uint32_t number) {
    number = htonl(number);
    add(batch, type, &number, sizeof number);
}

static size_t begin_nest(struct batch *batch, uint16_t type) {
    size_t place = batch->length;
    add(batch, type | NLA_F_NESTED, "", 0);
    return place;
}

static void end_nest(struct batch *batch, size_t nest) {
    ((struct nlattr *)(batch->bytes + nest))->nla_len = (uint16_t)(batch->length - nest);
}

static void add_value(struct batch *batch, uint16_t type, const void *value, size_t length) {
    size_t nest = begin_nest(batch, type);
    add(batch, NFTA_DATA_VALUE, value, length);
    end_nest(batch, nest);
}

// MARK: Expressions

struct expression {
    size_t element, data;
};

static struct expression begin_expression(struct batch *batch, const char *name) {
    struct expression expression;
    expression.element = begin_nest(batch, NFTA_LIST_ELEM);
    add_text(batch, NFTA_EXPR_NAME, name);
    expression.data = begin_nest(batch, NFTA_EXPR_DATA);
    return expression;
}

static void end_expression(struct batch *batch, struct expression expression) {
    end_nest(batch, expression.data);
    end_nest(batch, expression.element);
}

static void compare(struct batch *batch, uint32_t operation, const void *value, size_t length) {
    struct expression expression = begin_expression(batch, "cmp");
    add_number(batch, NFTA_CMP_SREG, NFT_REG_1);
    add_number(batch, NFTA_CMP_OP, operation);
    add_value(batch, NFTA_CMP_DATA, value, length);
    end_expression(batch, expression);
}

static void load_meta(struct batch *batch, uint32_t key) {
    struct expression expression = begin_expression(batch, "meta");
    add_number(batch, NFTA_META_DREG, NFT_REG_1);
    add_number(batch, NFTA_META_KEY, key);
    end_expression(batch, expression);
}

// Whether the name of a link begins so: no more of it is compared than there is.
static void compare_link(struct batch *batch, uint32_t key, uint32_t operation, const char *prefix) {
    load_meta(batch, key);
    compare(batch, operation, prefix, strlen(prefix));
}

static void mask_value(struct batch *batch, uint32_t mask) {
    uint32_t none = 0;
    struct expression expression = begin_expression(batch, "bitwise");
    add_number(batch, NFTA_BITWISE_SREG, NFT_REG_1);
    add_number(batch, NFTA_BITWISE_DREG, NFT_REG_1);
    add_number(batch, NFTA_BITWISE_LEN, sizeof mask);
    add_value(batch, NFTA_BITWISE_MASK, &mask, sizeof mask);
    add_value(batch, NFTA_BITWISE_XOR, &none, sizeof none);
    end_expression(batch, expression);
}

// Nobody but who was asked first by the instance.
static void compare_unasked(struct batch *batch) {
    struct expression expression = begin_expression(batch, "ct");
    add_number(batch, NFTA_CT_DREG, NFT_REG_1);
    add_number(batch, NFTA_CT_KEY, NFT_CT_STATE);
    end_expression(batch, expression);
    const uint32_t established = 2, related = 4, neither = 0;
    mask_value(batch, established | related);
    compare(batch, NFT_CMP_EQ, &neither, sizeof neither);
}

static void compare_source(struct batch *batch, uint32_t base, unsigned bits) {
    struct expression expression = begin_expression(batch, "payload");
    add_number(batch, NFTA_PAYLOAD_DREG, NFT_REG_1);
    add_number(batch, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
    add_number(batch, NFTA_PAYLOAD_OFFSET, 12);
    add_number(batch, NFTA_PAYLOAD_LEN, 4);
    end_expression(batch, expression);
    mask_value(batch, htonl(~0U << (32 - bits)));
    base = htonl(base);
    compare(batch, NFT_CMP_EQ, &base, sizeof base);
}

static void drop(struct batch *batch) {
    struct expression expression = begin_expression(batch, "immediate");
    add_number(batch, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    size_t data = begin_nest(batch, NFTA_IMMEDIATE_DATA), verdict = begin_nest(batch, NFTA_DATA_VERDICT);
    add_number(batch, NFTA_VERDICT_CODE, NF_DROP);
    end_nest(batch, verdict);
    end_nest(batch, data);
    end_expression(batch, expression);
}

// MARK: Tables

static void change_table(struct batch *batch, uint16_t type, const char *table) {
    begin(batch, type);
    add_text(batch, NFTA_TABLE_NAME, table);
}

static void add_chain(
    struct batch *batch, const char *table, const char *name, const char *type, uint32_t hook, uint32_t priority) {
    begin(batch, NFT_MSG_NEWCHAIN);
    add_text(batch, NFTA_CHAIN_TABLE, table);
    add_text(batch, NFTA_CHAIN_NAME, name);
    size_t nest = begin_nest(batch, NFTA_CHAIN_HOOK);
    add_number(batch, NFTA_HOOK_HOOKNUM, hook);
    add_number(batch, NFTA_HOOK_PRIORITY, priority);
    end_nest(batch, nest);
    add_text(batch, NFTA_CHAIN_TYPE, type);
}

static size_t begin_rule(struct batch *batch, const char *table, const char *chain) {
    begin(batch, NFT_MSG_NEWRULE);
    ((struct nlmsghdr *)(batch->bytes + batch->message))->nlmsg_flags |= NLM_F_APPEND;
    add_text(batch, NFTA_RULE_TABLE, table);
    add_text(batch, NFTA_RULE_CHAIN, chain);
    return begin_nest(batch, NFTA_RULE_EXPRESSIONS);
}

// Returns 0 or the first errno. The kernel has answered when it has taken the messages.
static int commit(struct batch *batch) {
    begin_message(batch, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (descriptor < 0) return errno;
    int error = send(descriptor, batch->bytes, batch->length, 0) < 0 ? errno : 0;
    char answer[8192] __attribute__((aligned(4)));
    ssize_t length;
    while (error == 0 && (length = recv(descriptor, answer, sizeof answer, MSG_DONTWAIT)) > 0) {
        int rest = (int)length;
        for (struct nlmsghdr *header = (struct nlmsghdr *)answer; NLMSG_OK(header, (unsigned)rest);
             header = NLMSG_NEXT(header, rest)) {
            if (header->nlmsg_type != NLMSG_ERROR) continue;
            int found = -((struct nlmsgerr *)NLMSG_DATA(header))->error;
            if (error == 0) error = found;
        }
    }
    close(descriptor);
    return error;
}

static void begin_batch(struct batch *batch) {
    memset(batch, 0, sizeof *batch);
    begin_message(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
}

int slipway_filter_forwarded(const char *table, const char *prefix, uint32_t base, unsigned bits) {
    struct batch batch;
    begin_batch(&batch);
    // Whatever was in it before, and whether it was there.
    change_table(&batch, NFT_MSG_NEWTABLE, table);
    change_table(&batch, NFT_MSG_DELTABLE, table);
    change_table(&batch, NFT_MSG_NEWTABLE, table);
    add_chain(&batch, table, "forward", "filter", NF_INET_FORWARD, 0);
    size_t expressions = begin_rule(&batch, table, "forward");
    compare_link(&batch, NFT_META_OIFNAME, NFT_CMP_EQ, prefix);
    compare_unasked(&batch);
    drop(&batch);
    end_nest(&batch, expressions);
    add_chain(&batch, table, "postrouting", "nat", NF_INET_POST_ROUTING, 100);
    expressions = begin_rule(&batch, table, "postrouting");
    compare_source(&batch, base, bits);
    compare_link(&batch, NFT_META_OIFNAME, NFT_CMP_NEQ, prefix);
    end_expression(&batch, begin_expression(&batch, "masq"));
    end_nest(&batch, expressions);
    return commit(&batch);
}

int slipway_filter_unforwarded(const char *table) {
    struct batch batch;
    begin_batch(&batch);
    change_table(&batch, NFT_MSG_NEWTABLE, table);
    change_table(&batch, NFT_MSG_DELTABLE, table);
    change_table(&batch, NFT_MSG_NEWTABLE, table);
    add_chain(&batch, table, "forward", "filter", NF_INET_FORWARD, 0);
    const uint32_t keys[] = {NFT_META_IIFGROUP, NFT_META_OIFGROUP}, group = SLIPWAY_LINK_GROUP;
    for (size_t index = 0; index < sizeof keys / sizeof keys[0]; index++) {
        size_t expressions = begin_rule(&batch, table, "forward");
        load_meta(&batch, keys[index]);
        compare(&batch, NFT_CMP_EQ, &group, sizeof group);
        drop(&batch);
        end_nest(&batch, expressions);
    }
    return commit(&batch);
}

int slipway_remove_filter(const char *table) {
    struct batch batch;
    begin_batch(&batch);
    change_table(&batch, NFT_MSG_DELTABLE, table);
    return commit(&batch);
}

#endif
