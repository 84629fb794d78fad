/* A plugin for QEMU (user mode) that counts what a program and all its threads and children execute.
 *
 *     cc -O2 -shared -fPIC -ftls-model=initial-exec -o count.so count.c
 *     qemu-arm -plugin ./count.so,counters=COUNTERS PROGRAM
 *
 * COUNTERS is a file of slots of 64 octets, mapped by every process: the first holds MAGIC and the number of slots in use,
 * each other one the instructions and the system calls of one thread. A thread takes a slot at its first instruction and no
 * other thread writes to it; a forked child takes new ones. Whoever reads adds them up (lab/bench/emulated/counters.py).
 *
 * QEMU's plugin interface, ABI version 1 (QEMU 4.2 to 7.2), is declared here by hand: Debian packages no header for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *),
                                          enum qemu_plugin_cb_flags, void *);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t,
                                          void (*)(qemu_plugin_id_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t,
                                                   uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

EXPORTED int qemu_plugin_version = 1;

enum { SLOTS = 1 << 16 };
static const uint64_t MAGIC = 0x31746e756f43; /* "Count1" */

struct slot {
    uint64_t first, second; /* MAGIC and slots in use; or instructions and system calls */
    uint64_t unused[6];
};

static struct slot *slots;
static __thread struct slot *mine;

static void fail(const char *what)
{
    fprintf(stderr, "count: %s: %s\n", what, strerror(errno));
    abort();
}

static struct slot *take(void)
{
    uint64_t number = __atomic_fetch_add(&slots[0].second, 1, __ATOMIC_RELAXED);
    if (number >= SLOTS) {
        /* What is not counted must not pass for a small number. */
        errno = ENOSPC;
        fail("more threads and processes than slots");
    }
    return mine = &slots[number];
}

static void executed(unsigned cpu, void *instructions)
{
    struct slot *slot = mine ? mine : take();
    (void)cpu;
    slot->first += (uintptr_t)instructions;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, QEMU_PLUGIN_CB_NO_REGS,
                                         (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void called(qemu_plugin_id_t id, unsigned cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                   uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
    struct slot *slot = mine ? mine : take();
    (void)id, (void)cpu, (void)number, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    slot->second++;
}

static void forked(void)
{
    mine = NULL;
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    int fd;
    (void)info;
    if (argc != 1 || strncmp(argv[0], "counters=", 9)) {
        fprintf(stderr, "count: -plugin count.so,counters=COUNTERS\n");
        return 1;
    }
    fd = open(argv[0] + 9, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd == -1 || ftruncate(fd, SLOTS * sizeof(struct slot)) == -1)
        fail(argv[0] + 9);
    slots = mmap(NULL, SLOTS * sizeof(struct slot), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (slots == MAP_FAILED)
        fail(argv[0] + 9);
    close(fd);
    slots[0].second = 1;
    if ((errno = pthread_atfork(NULL, NULL, forked)))
        fail("pthread_atfork");
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    slots[0].first = MAGIC;
    return 0;
}
