// Private to CPruneSupport: what Winograd's convolution and the transform of its weights agree on.
//
// F(4x4, 3x3) and F(3x3, 4x4) with the points 0, +-5/8, +-3/2 and infinity, whose rounding errors are a third of those
// of 0, +-1, +-2 (Lavin and Gray 2016; Alam, Anderson, Barabasz and Gregg 2022 on points).
#ifndef WINOGRAD_H
#define WINOGRAD_H

#include "prune_winograd.h"

enum {
  LANES = 16,                   // channels that lie together
  SIDE = 6,                     // of a tile: what its results are made of
  TILE_ELEMENTS = SIDE * SIDE,  // transformed tiles have as many
};

/// Blocks of results that are computed together, where enough are left. Their weights lie side by side.
static inline int64_t winograd_width(int64_t left) { return left >= 4 ? 4 : left >= 2 ? 2 : 1; }

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx512f")))
#else
#define WIDE
#endif
#define WIDE_INLINE WIDE __attribute__((always_inline)) static inline
#define UNROLLED _Pragma("clang loop unroll(full)")
#define ROLLED _Pragma("clang loop unroll(disable)")

typedef float vector __attribute__((vector_size(4 * LANES), aligned(4)));
typedef int32_t mask __attribute__((vector_size(4 * LANES), aligned(4)));

WIDE_INLINE vector load(const float *from) { return *(const vector *)from; }
WIDE_INLINE void store(float *to, vector value) { *(vector *)to = value; }
WIDE_INLINE vector choose(mask which, vector x, vector y) { return (vector)(((mask)x & which) | ((mask)y & ~which)); }

// The points and their powers.
static const float A = 0.625f, A2 = 0.390625f, A3 = 0.244140625f, B = 1.5f, B2 = 2.25f, B3 = 3.375f;
static const float SUM = 2.640625f, PRODUCT = 0.87890625f;  // of A2 and B2

/// Where a tile begins in the result.
struct tile {
  int64_t image, row, column;
};

static inline int64_t steps(const ps_winograd_args *a, int64_t extent) { return (extent + a->step - 1) / a->step; }

static inline struct tile tile_at(const ps_winograd_args *a, int64_t index) {
  const int64_t across = steps(a, a->columns), down = steps(a, a->rows);
  return (struct tile){index / (across * down), index / across % down * a->step, index % across * a->step};
}

/// Numbers from one element of transformed tiles to the next: an odd number of vectors. Powers of two would compete
/// for the same lines of the cache.
static inline int64_t distance(int64_t tiles) { return (tiles | 1) * LANES; }

/// Some of the tiles, all channels.
struct span {
  int64_t first, count;
};

static inline struct span span_at(const ps_winograd_args *a, int64_t part) {
  const int64_t all = ps_winograd_tiles(a), size = all / a->parts, rest = all % a->parts;
  return (struct span){part * size + (part < rest ? part : rest), size + (part < rest)};
}

/// The input transform of a block of channels of some tiles: [elements][tiles][LANES], elements `distance` apart.
void winograd_input_transform(const ps_winograd_args *a, int64_t first, int64_t count, int64_t block, float *v);

/// Powers of the points over what they are from each other; of infinity the last power of a window of three.
static const float winograd_points[SIDE][4] = {
    {1.13777777777778f, 0, 0, 0},
    {-0.688403361344538f, -0.430252100840336f, -0.26890756302521f, -0.168067226890756f},
    {-0.688403361344538f, 0.430252100840336f, -0.26890756302521f, 0.168067226890756f},
    {0.119514472455649f, 0.179271708683473f, 0.26890756302521f, 0.403361344537815f},
    {0.119514472455649f, -0.179271708683473f, 0.26890756302521f, -0.403361344537815f},
    {0, 0, 1, 0},
};

#endif
