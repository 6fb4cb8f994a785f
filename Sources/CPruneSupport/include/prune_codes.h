// Loops over the codes of quantized values; as those of prune_kernels.h.
#ifndef PRUNE_CODES_H
#define PRUNE_CODES_H

#include "prune_kernels.h"

// MARK: - Quantization
/// y = clamp(round(x / scale) + zero) to uint8 or int8 over the middle of [outer, extent, inner]; extent is 1 when one
/// scale serves all. Zero points as int32.
typedef struct {
  const float *x, *scales;
  const int32_t *zeros;
  void *y;
  int64_t outer, extent, inner;
  int32_t is_signed;
} ps_quantize_args;
int32_t ps_quantize(void *args);

/// y = (x - zero) * scale, x uint8 or int8.
typedef struct {
  const void *x;
  const float *scales;
  const int32_t *zeros;
  float *y;
  int64_t outer, extent, inner;
  int32_t is_signed;
} ps_dequantize_args;
int32_t ps_dequantize(void *args);

// MARK: - Products of codes
/// y [m, n] = x [m, k] * w * scales + bias with x rounded to uint8 codes that one scale and zero point, of its own
/// range, serve; w int8 in the panels of ps_pack_codes, `scale_count` 1 or n. The sums of products are exact.
typedef struct {
  const float *x, *scales, *bias;
  const int8_t *w;
  float *y;
  /// m * (k rounded up to 2) numbers.
  int16_t *scratch;
  int64_t m, n, k, scale_count;
} ps_dynamic_args;
int32_t ps_dynamic_product(void *args);
/// Bytes of w [k, n] in panels.
int64_t ps_code_panel_bytes(int64_t n, int64_t k);
void ps_pack_codes(const int8_t *w, int64_t n, int64_t k, int8_t *packed);

/// y [m, n] = x [m, k] * w + bias for a few rows, with w in blocks of 4 or 8 bits along k as com.microsoft.MatMulNBits
/// has it: codes [n, blocks, size * bits / 8], scales [n, blocks], zeros [n, bytes] or NULL for half of the range.
typedef struct {
  const float *x, *scales, *bias;
  const uint8_t *codes, *zeros;
  float *y;
  /// m * blocks * (size + 1) numbers.
  float *scratch;
  int64_t m, n, k, size;
  int32_t bits;
} ps_block_args;
#define PS_BLOCK_ROWS 4
int32_t ps_block_product(void *args);

// MARK: - 8-bit codes
// Signed codes come with a `flip` of 0x80, unsigned ones with 0; zero points are those of the flipped, unsigned codes.

/// y = code(min(max(a + b, low), high) * factor), each operand (code - zero) * scale; in place of either.
typedef struct {
  const uint8_t *a, *b;
  uint8_t *y;
  int64_t count;
  float a_scale, b_scale, a_zero, b_zero, low, high, factor, y_zero;
  uint8_t a_flip, b_flip, y_flip;
} ps_codes_add_args;
int32_t ps_codes_add(void *args);

/// y = code(min(max(x * scales[c] + offsets[c], low), high)) over rows of channels that lie together, in place.
typedef struct {
  const uint8_t *x;
  uint8_t *y;
  const float *scales, *offsets;
  int64_t rows, channels, x_stride, y_stride;
  float low, high, y_zero;
  uint8_t x_flip, y_flip;
} ps_codes_affine_args;
int32_t ps_codes_affine(void *args);

/// y = table[x], in place.
typedef struct {
  const uint8_t *x;
  uint8_t *y;
  int64_t count;
  uint8_t table[256];
} ps_codes_table_args;
int32_t ps_codes_table(void *args);

/// Averages over windows of images whose channels are innermost: code((sum - count * x_zero) * factor / divisor).
typedef struct {
  const uint8_t *x;
  uint8_t *y;
  int64_t n, ih, iw, oh, ow, channels, kh, kw, stride_h, stride_w, pad_h, pad_w;
  int32_t counts_padding;
  float x_zero, factor, y_zero;
  uint8_t x_flip, y_flip;
} ps_codes_average_args;
int32_t ps_codes_average(void *args);

#endif
