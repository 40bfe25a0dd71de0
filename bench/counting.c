/* Counts what a process allocates and copies, by thread and by the library that asked: preloaded
 * into a contender by bench/costs.py, which also compiles it. Only for counting; nothing is timed.
 *
 * A copy is a call of memcpy or memmove of COPY_LEAST bytes or more; what a compiler wrote out in
 * line, or the C library does inside, is not seen. x86-64.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#define ROWS 16384
#define COPY_LEAST 4096

struct row {
    _Atomic uint64_t key; /* kind, thread and caller; 0: free */
    _Atomic uint64_t calls;
    _Atomic uint64_t bytes;
    void *caller;
    char kind;
    char thread[16];
};

static struct row rows[ROWS];
static atomic_int counts;
static __thread int inside;

static void count(char kind, void *caller, size_t bytes)
{
    if (!atomic_load_explicit(&counts, memory_order_relaxed) || inside)
        return;
    inside = 1;
    char thread[16] = {0};
    prctl(PR_GET_NAME, thread);
    uint64_t key = 1469598103934665603u ^ (uint64_t)(uintptr_t)caller ^ ((uint64_t)kind << 56);
    for (int at = 0; at < 16 && thread[at]; at++)
        key = (key ^ (uint8_t)thread[at]) * 1099511628211u;
    key |= 1;
    for (uint64_t probe = 0; probe < ROWS; probe++) {
        struct row *row = &rows[(key + probe) % ROWS];
        uint64_t free_row = 0;
        if (atomic_load(&row->key) == 0 && atomic_compare_exchange_strong(&row->key, &free_row, key)) {
            row->caller = caller;
            row->kind = kind;
            for (int at = 0; at < 16; at++)
                row->thread[at] = thread[at];
        }
        if (atomic_load(&row->key) == key) {
            atomic_fetch_add(&row->calls, 1);
            atomic_fetch_add(&row->bytes, bytes);
            break;
        }
    }
    inside = 0;
}

void counting_start(void)
{
    for (int at = 0; at < ROWS; at++) {
        atomic_store(&rows[at].calls, 0);
        atomic_store(&rows[at].bytes, 0);
    }
    atomic_store(&counts, 1);
}

void counting_stop(void) { atomic_store(&counts, 0); }

/* Lines of kind, thread, library, calls, bytes, with tabs between. */
void counting_read(char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (int at = 0; at < ROWS; at++) {
        struct row *row = &rows[at];
        uint64_t calls = atomic_load(&row->calls);
        if (!calls)
            continue;
        Dl_info found;
        const char *library = "?";
        if (dladdr(row->caller, &found) && found.dli_fname) {
            const char *slash = strrchr(found.dli_fname, '/');
            library = slash ? slash + 1 : found.dli_fname;
        }
        int wrote = snprintf(text + used, size - used, "%s\t%.16s\t%s\t%llu\t%llu\n",
                             row->kind == 'a' ? "allocation" : "copy", row->thread, library,
                             (unsigned long long)calls,
                             (unsigned long long)atomic_load(&row->bytes));
        if (wrote < 0 || used + (size_t)wrote >= size)
            break;
        used += (size_t)wrote;
    }
}

/* The C library's own names for what is replaced here. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

void *malloc(size_t size)
{
    count('a', __builtin_return_address(0), size);
    return __libc_malloc(size);
}

void *calloc(size_t items, size_t size)
{
    count('a', __builtin_return_address(0), items * size);
    return __libc_calloc(items, size);
}

void *realloc(void *memory, size_t size)
{
    count('a', __builtin_return_address(0), size);
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size)
{
    count('a', __builtin_return_address(0), size);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count('a', __builtin_return_address(0), size);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    count('a', __builtin_return_address(0), size);
    void *got = __libc_memalign(alignment, size);
    if (!got)
        return 12; /* ENOMEM */
    *memory = got;
    return 0;
}

static void forwards(void *to, const void *from, size_t size)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    if (size >= COPY_LEAST)
        count('c', __builtin_return_address(0), size);
    forwards(to, from, size);
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    if (size >= COPY_LEAST)
        count('c', __builtin_return_address(0), size);
    if ((uintptr_t)to - (uintptr_t)from >= size) {
        forwards(to, from, size);
    } else {
        volatile char *into = to;
        const volatile char *out = from;
        while (size--)
            into[size] = out[size];
    }
    return to;
}
