// What a call may take of the machine's memory, and a reserve for allocations that cannot be refused.

#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "prune_support.h"

// MARK: - Accounts

struct ps_account {
  atomic_llong used, peak, limit;
  atomic_int references;
};

// The account of calls without a context; never freed.
static ps_account standard = {.references = 1};
static _Thread_local ps_account *entered;

ps_account *ps_account_create(void) {
  ps_account *account = calloc(1, sizeof *account);
  if (account) atomic_init(&account->references, 1);
  return account;
}

ps_account *ps_account_standard(void) { return &standard; }
ps_account *ps_account_current(void) { return entered ? entered : &standard; }

void ps_account_retain(ps_account *account) {
  atomic_fetch_add_explicit(&account->references, 1, memory_order_relaxed);
}

void ps_account_release(ps_account *account) {
  if (account && atomic_fetch_sub_explicit(&account->references, 1, memory_order_acq_rel) == 1) free(account);
}

void ps_account_enter(ps_account *account) {
  if (account) ps_account_retain(account);
  ps_account_release(entered);
  entered = account;
}

void ps_account_set_limit(ps_account *account, int64_t bytes) {
  atomic_store_explicit(&account->limit, bytes, memory_order_relaxed);
}
int64_t ps_account_limit(ps_account *account) { return atomic_load_explicit(&account->limit, memory_order_relaxed); }
int64_t ps_account_used(ps_account *account) { return atomic_load_explicit(&account->used, memory_order_relaxed); }
int64_t ps_account_peak(ps_account *account) { return atomic_load_explicit(&account->peak, memory_order_relaxed); }

int32_t ps_account_take(ps_account *account, int64_t bytes) {
  int64_t limit = ps_account_limit(account);
  int64_t used = atomic_fetch_add_explicit(&account->used, bytes, memory_order_relaxed) + bytes;
  if (limit > 0 && bytes > 0 && used > limit) {
    atomic_fetch_sub_explicit(&account->used, bytes, memory_order_relaxed);
    return 1;
  }
  long long peak = atomic_load_explicit(&account->peak, memory_order_relaxed);
  while (used > peak && !atomic_compare_exchange_weak_explicit(&account->peak, &peak, used, memory_order_relaxed,
                                                               memory_order_relaxed)) {}
  return 0;
}

void ps_account_give(ps_account *account, int64_t bytes) {
  atomic_fetch_sub_explicit(&account->used, bytes, memory_order_relaxed);
}

// MARK: - Memory that grows in place

void *ps_memory_map(size_t bytes) {
  void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return base == MAP_FAILED ? NULL : base;
}

void *ps_memory_resize(void *base, size_t bytes, size_t new_bytes) {
  void *moved = mremap(base, bytes, new_bytes, MREMAP_MAYMOVE);
  return moved == MAP_FAILED ? NULL : moved;
}

void ps_memory_unmap(void *base, size_t bytes) { munmap(base, bytes); }

// MARK: - The reserve
//
// Swift's arrays, strings and objects take memory through swift_slowAlloc, which ends the process when there is none.
// The linker puts the functions below in its place (--wrap). When the system refuses, they take from a reserve that was
// mapped before and costs no memory until then, and note it. The running call continues to its next check, which
// throws; its objects are released, and with them the blocks of the reserve.

enum { RESERVE_BYTES = 64 << 20, HEADER_BYTES = 16 };

static _Atomic(char *) reserve;
static atomic_flag reserve_lock = ATOMIC_FLAG_INIT;
static size_t reserve_used, reserve_live;
static atomic_int shortages;
static _Thread_local int shortages_known;
// Calls that the calling thread is in (a callback may make some, too), and a bit for each that was refused memory.
static _Thread_local int depth;
static _Thread_local uint64_t refused_calls;

static uint64_t this_call(void) { return (uint64_t)1 << (depth & 63); }

static void prepare_reserve(void) {
  if (atomic_load_explicit(&reserve, memory_order_acquire)) return;
  void *block = mmap(NULL, RESERVE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (block == MAP_FAILED) return;
  char *none = NULL;
  if (!atomic_compare_exchange_strong(&reserve, &none, block)) munmap(block, RESERVE_BYTES);
}

ps_account *ps_call_begin(void) {
  prepare_reserve();
  if (depth++ == 0) shortages_known = atomic_load_explicit(&shortages, memory_order_relaxed);
  refused_calls &= ~this_call();
  ps_account *previous = entered;
  entered = NULL;
  return previous;
}

void ps_call_end(ps_account *previous) {
  depth--;
  ps_account_release(entered);
  entered = previous;
}

int32_t ps_memory_is_short(void) {
  return atomic_load_explicit(&shortages, memory_order_relaxed) != shortages_known ||
         (refused_calls & this_call()) != 0;
}

void ps_memory_refused(void) {
  if (depth > 0) refused_calls |= this_call();
}

static int is_lent(const void *place) {
  char *base = atomic_load_explicit(&reserve, memory_order_relaxed);
  return base && (uintptr_t)place - (uintptr_t)base < RESERVE_BYTES;
}

// The size of a block stands before it.
static size_t *lent_size(const void *place) { return (size_t *)((uintptr_t)place - HEADER_BYTES); }

static void *lend(size_t bytes, size_t alignment) {
  char *base = atomic_load_explicit(&reserve, memory_order_acquire);
  if (!base || bytes > RESERVE_BYTES) return NULL;
  atomic_fetch_add_explicit(&shortages, 1, memory_order_relaxed);
  void *place = NULL;
  while (atomic_flag_test_and_set_explicit(&reserve_lock, memory_order_acquire)) {}
  size_t start = (reserve_used + HEADER_BYTES + alignment - 1) / alignment * alignment;
  if (start <= RESERVE_BYTES - bytes) {
    place = base + start;
    *lent_size(place) = bytes;
    reserve_used = (start + bytes + HEADER_BYTES - 1) / HEADER_BYTES * HEADER_BYTES;
    reserve_live++;
  }
  atomic_flag_clear_explicit(&reserve_lock, memory_order_release);
  return place;
}

static void take_back(void) {
  while (atomic_flag_test_and_set_explicit(&reserve_lock, memory_order_acquire)) {}
  // All or nothing: the reserve serves the rest of one call.
  if (--reserve_live == 0) {
    madvise(atomic_load_explicit(&reserve, memory_order_relaxed), RESERVE_BYTES, MADV_DONTNEED);
    reserve_used = 0;
  }
  atomic_flag_clear_explicit(&reserve_lock, memory_order_release);
}

void *__real_swift_slowAlloc(size_t bytes, size_t alignment_mask) __attribute__((weak));
size_t __real_malloc_usable_size(void *place) __attribute__((weak));
void *__wrap_swift_slowAlloc(size_t bytes, size_t alignment_mask);
void __wrap_swift_slowDealloc(void *place, size_t bytes, size_t alignment_mask);
size_t __wrap_malloc_usable_size(void *place);

void *__wrap_swift_slowAlloc(size_t bytes, size_t alignment_mask) {
  void *place = NULL;
  size_t alignment = alignment_mask == ~(size_t)0 ? 16 : alignment_mask + 1;
  if (alignment <= 16) {
    place = malloc(bytes ? bytes : 1);
  } else if (posix_memalign(&place, alignment, bytes) != 0) {
    place = NULL;
  }
  if (!place) place = lend(bytes, alignment < 16 ? 16 : alignment);
  // The end of the reserve: the runtime says so and ends the process.
  return place || !__real_swift_slowAlloc ? place : __real_swift_slowAlloc(bytes, alignment_mask);
}

void __wrap_swift_slowDealloc(void *place, size_t bytes, size_t alignment_mask) {
  (void)bytes, (void)alignment_mask;
  if (is_lent(place)) {
    take_back();
  } else {
    free(place);
  }
}

size_t __wrap_malloc_usable_size(void *place) {
  return is_lent(place) ? *lent_size(place) : __real_malloc_usable_size(place);
}
