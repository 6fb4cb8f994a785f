// What Swift cannot express: thread-local and signal-safe slots, the OpenMP pool, and loops dispatched by instruction set.
// Internal: nothing here is named prune_*, so nothing here is exported from libprune.so.
#ifndef PRUNE_SUPPORT_H
#define PRUNE_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

// MARK: - Cancel flags. A lock-free atomic that a signal handler may store to.
typedef struct ps_cancel ps_cancel;
ps_cancel *ps_cancel_create(void);
void ps_cancel_free(ps_cancel *flag);
void ps_cancel_request(ps_cancel *flag);
void ps_cancel_clear(ps_cancel *flag);
int ps_cancel_requested(const ps_cancel *flag);

// MARK: - Thread-local last error (read through prune_last_error).
void ps_error_set(int32_t status, const char *message, const char *where, const char *hint);

// MARK: - Parallel loops on the OpenMP pool that oneDNN uses.
/// Calls body(first, last, user) for disjoint ranges covering 0..<count, each at least `grain` long.
/// Runs on the calling thread when one range is enough or the thread limit is 1.
void ps_parallel_for(int64_t count, int64_t grain, void (*body)(int64_t first, int64_t last, void *user), void *user);
/// The number of threads parallel loops and oneDNN use from the calling thread; 0 restores the default.
void ps_set_threads(int32_t threads);
int32_t ps_get_threads(void);

// MARK: - Data compiled into the library.
extern const unsigned char ps_digits_csv_gz[];
extern const size_t ps_digits_csv_gz_size;

/// Monotonic time in nanoseconds.
uint64_t ps_now_ns(void);

#endif
