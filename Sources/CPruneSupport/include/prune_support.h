// What Swift cannot express: thread-local and signal-safe slots, the OpenMP pool, and loops dispatched by instruction
// set. Internal: nothing here is named prune_*, so nothing here is exported from libprune.so.
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

// MARK: - Memory (memory.c)
/// How many bytes are in use and how many may be; one for each context, and one for calls without any.
typedef struct ps_account ps_account;
/// NULL without memory. Has one reference, the caller's.
ps_account *ps_account_create(void);
ps_account *ps_account_standard(void);
/// The account of the call that runs on this thread.
ps_account *ps_account_current(void);
void ps_account_retain(ps_account *account);
void ps_account_release(ps_account *account);
/// Begins a call of the calling thread, with the standard account. Returns the account of the call around it, for
/// `ps_call_end`.
ps_account *ps_call_begin(void);
void ps_call_end(ps_account *previous);
/// Makes an account that of the thread's call, NULL for the standard one.
void ps_account_enter(ps_account *account);
/// 0 is no limit.
void ps_account_set_limit(ps_account *account, int64_t bytes);
int64_t ps_account_limit(ps_account *account);
int64_t ps_account_used(ps_account *account);
/// The most that was ever in use.
int64_t ps_account_peak(ps_account *account);
/// 0, or 1 when the limit does not allow it; then nothing is taken.
int32_t ps_account_take(ps_account *account, int64_t bytes);
void ps_account_give(ps_account *account, int64_t bytes);

/// Whole pages of zeros that can grow without a copy; NULL without memory.
void *ps_memory_map(size_t bytes);
/// NULL without memory; then the old pages stay.
void *ps_memory_resize(void *base, size_t bytes, size_t new_bytes);
void ps_memory_unmap(void *base, size_t bytes);

/// Whether memory was refused since the thread's call began: what was refused may have been passed over as something
/// that could not be computed, and the reserve may have stood in, so the call must end.
int32_t ps_memory_is_short(void);
/// Notes that the thread's call was refused memory.
void ps_memory_refused(void);

// MARK: - Thread-local last error (read through prune_last_error).
void ps_error_set(int32_t status, const char *message, const char *where, const char *hint);

// MARK: - DLPack 1.x, whose structs stay in C.
typedef struct ps_dlpack_view {
  void *data;
  int32_t rank;
  /// DLDataTypeCode: 0 int, 1 uint, 2 float, 4 bfloat, 6 bool.
  uint8_t code, bits;
  const int64_t *shape;
  /// In elements; NULL when row-major.
  const int64_t *strides;
} ps_dlpack_view;
/// A managed tensor over the view's bytes, row-major and read-only; NULL without memory. Its deleter calls
/// release(owner).
void *ps_dlpack_lend(const ps_dlpack_view *view, void *owner, void (*release)(void *owner));
/// 0, or 1: another major version, 2: not in CPU memory, 3: vector elements.
int ps_dlpack_read(const void *managed, ps_dlpack_view *out_view);
void ps_dlpack_release(void *managed);

// MARK: - Parallel loops on the OpenMP pool that oneDNN uses.
/// Calls body(first, last, user) for disjoint ranges covering 0..<count, each at least `grain` long.
/// Runs on the calling thread when one range is enough or the thread limit is 1.
void ps_parallel_for(int64_t count, int64_t grain, void (*body)(int64_t first, int64_t last, void *user), void *user);
/// The number of threads parallel loops and oneDNN use from the calling thread; 0 restores the default.
void ps_set_threads(int32_t threads);
int32_t ps_get_threads(void);

// MARK: - The machine (machine.c); both write a C string of less than `size` bytes, empty where nothing is known
void ps_processor_name(char *name, size_t size);
/// The instruction sets that kernels ask for and the processor has: the compiler's names, separated by spaces.
void ps_instruction_sets(char *names, size_t size);
/// Bytes of the processor's last cache; 0 where that is not known.
int64_t ps_last_cache_bytes(void);
/// Takes bytes out of the processor's caches, where that can be done.
void ps_cache_forget(const void *bytes, int64_t count);

/// Runs `body` with signals blocked on the calling thread and its pool; a signal that arrives meanwhile waits.
int32_t ps_without_signals(int32_t (*body)(void *), void *user);

// MARK: - NaN that arithmetic met (invalid.c): the flag "invalid operation" of the processor, which every comparison
// and maximum that meets a NaN raises, and every operation that makes one. Other processors raise none; their maxima
// keep NaN.
/// Takes the calling thread's flag down and says whether it was up.
int32_t ps_invalid_hold(void);
/// Puts up what `ps_invalid_hold` took down, so that a caller who looks at it finds it.
void ps_invalid_release(int32_t token);
/// Whether the flag is up on one of `threads` threads of the pool, the calling one included; clears it on all of them.
int32_t ps_invalid_take(int32_t threads);

/// Whether none of n numbers is infinite or NaN.
int32_t ps_is_finite(const float *x, int64_t n);

// MARK: - Selecting the lowest-ranked weights (select.c). `scores` NULL ranks by |weight|; else by score, zeros lowest.
/// The key a score ranks with, among weights ranked by `scores` (of_scores != 0) or by magnitude.
uint32_t ps_select_key(float score, int32_t of_scores);
/// Adds to counts[65536] how many keys have each value of their upper 16 bits.
void ps_select_histogram_high(const float *weights, const float *scores, int64_t count, int64_t *counts);
/// Adds to counts[65536] how many of the keys whose upper bits are `high` have each value of their lower 16 bits.
void ps_select_histogram_low(const float *weights, const float *scores, int64_t count, uint32_t high, int64_t *counts);
int64_t ps_select_count_equal(const float *weights, const float *scores, int64_t count, uint32_t key);
/// out = weights, with 0 where the key is below `key`, and at the first `ties` places where it equals `key`.
/// Returns the zeros in out.
int64_t ps_select_mask(const float *weights, const float *scores, float *out, int64_t count, uint32_t key,
                       int64_t ties);
int64_t ps_count_not_finite(const float *values, int64_t count);

// MARK: - Importance scores (scores.c)
enum { PS_SCORES_PLAIN, PS_SCORES_ABSOLUTE, PS_SCORES_SQUARE, PS_SCORES_PRODUCT };
/// scores += share * g, |g|, g^2 or (g * weight)^2, by `kind`; only the last reads weight.
void ps_scores_add(float *scores, const float *gradient, const float *weight, float share, int64_t count, int32_t kind);
void ps_scores_square_root(float *scores, int64_t count);
/// scores = absolute weights, or their squares.
void ps_scores_magnitude(const float *weights, int64_t count, int32_t squares, float *scores);
double ps_sum(const float *values, int64_t count);

// MARK: - Slices (slices.c). A tensor is [outer, count, inner].
/// Adds to sums[count] the absolute values, or the squares, of each slice.
void ps_slice_sums(const float *values, int64_t outer, int64_t count, int64_t inner, int32_t squares, double *sums);
/// Copies `count` blocks of equal size from byte offsets, one after the other.
void ps_gather_blocks(void *to, const void *from, const int64_t *offsets, int64_t count, int64_t block);
// MARK: - Second order (second_order.c)
/// out[i, j] = rows[i] . rows[j], of `count` rows.
void ps_row_products(const float *rows, int64_t count, int64_t length, float *out);
/// u, upper triangular, with u^T u = (h + damping * mean(diagonal of h) * I)^-1, h symmetric [n, n]. 0, 1 without
/// memory, 2 when h is not positive definite.
int32_t ps_inverse_factor(const float *h, int64_t n, double damping, float *u);
/// Eigenvalues of the symmetric h [n, n], the largest first, and their vectors, one a row of `vectors`. 0, 1 without
/// memory, 2 for elements that are not finite (eigen.c).
int32_t ps_symmetric_eigen(const float *h, int64_t n, double *values, float *vectors);
/// Removes weights of w [rows, columns] from left to right; those to their right make up for each (Frantar and
/// Alistarh, 2023). Entries of `removed` that are 1 go in any case. amount >= 0 adds the lowest w^2 / u_jj^2 of each
/// block of columns until that share is gone; of > 0 adds the lowest of each `of` columns in a row until `keep` are
/// left, groups starting anew at every `segment` columns. 0, or 1 without memory.
typedef struct {
  float *w;
  const float *u;
  uint8_t *removed;
  int64_t rows, columns, keep, of, segment;
  double amount;
} ps_obs_sweep_args;
int32_t ps_obs_sweep(ps_obs_sweep_args *args);

// MARK: - Quantization (int8_codes.c). A tensor is [outer, channels, inner].
/// The least and the most of finite values; (largest, smallest) NaN patterns when there are none.
void ps_min_max(const float *values, int64_t count, float *low, float *high);
void ps_channel_abs_max(const float *values, int64_t outer, int64_t channels, int64_t inner, float *result);
/// out = round half to even of values / scales[channel], within -127...127; also the sums of squares of the values and
/// of what rounding changed.
void ps_quantize_int8(const float *values, int64_t outer, int64_t channels, int64_t inner, const float *scales,
                      int8_t *out, double *signal, double *noise);
/// Adds finite values to counts of bins as wide as 1 / scale from `low` on; the outermost bins take what lies outside.
void ps_histogram(const float *values, int64_t count, float low, float scale, int64_t bins, int64_t *counts);

// MARK: - Packed models (prunez.c): the decoder of include/prunez.h
int64_t ps_prunez_work_size(const uint8_t *data, int64_t size);
/// Bytes of the packed ONNX file, 0 for a damaged file.
int64_t ps_prunez_onnx_size(const uint8_t *data, int64_t size, uint32_t *work, int64_t work_size);
int32_t ps_prunez_onnx(const uint8_t *data, int64_t size, uint32_t *work, int64_t work_size, uint8_t *out,
                       int64_t out_size);

// MARK: - Counting (count.c)
/// Elements of 4 (two to a byte, low half first), 8, 16, 32 or 64 bits that have a bit of `mask` set. Any alignment.
int64_t ps_count_nonzero(const void *values, int64_t count, int32_t bits, uint64_t mask);
/// Bytes of [outer, channels, inner] that are not their channel's zero.
int64_t ps_count_unequal(const uint8_t *values, int64_t outer, int64_t channels, int64_t inner, const uint8_t *zeros);

// MARK: - Files (files.c)
/// Copies the extended attributes of one open file, access control lists among them, to another; what may not be set is
/// left.
void ps_copy_attributes(int32_t from, int32_t to);

// MARK: - Data compiled into the library.
extern const unsigned char *const ps_digits_csv_gz;
extern const size_t ps_digits_csv_gz_size;

/// Monotonic time in nanoseconds.
uint64_t ps_now_ns(void);

#endif
