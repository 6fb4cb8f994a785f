// Private to CPruneSupport: what Winograd's convolution and the transform of its weights agree on.
//
// F(4x4, 3x3) and F(3x3, 4x4) with the points 0, +-5/8, +-3/2 and infinity, whose rounding errors are a third of those of 0, +-1,
// +-2 (Lavin and Gray 2016; Alam, Anderson, Barabasz and Gregg 2022 on points).
#ifndef WINOGRAD_H
#define WINOGRAD_H

#include <stdint.h>

enum {
  LANES = 16,            // channels that lie together
  SIDE = 6,              // of a tile: what its results are made of
  PLACES = SIDE * SIDE,  // of a tile, in the domain too
};

/// Blocks of results that are made together, where so many are left. The weights of those lie side by side.
static inline int64_t winograd_width(int64_t left) { return left >= 4 ? 4 : left >= 2 ? 2 : 1; }

#endif
