// RNN, GRU and LSTM. The input's share of all gates is one matrix product over the whole sequence; then each step adds
// the state's share and applies the cell.
#include "prune_kernels.h"
#include "prune_support.h"
#include "vector_math.h"

// MARK: - Products of few rows with packed panels

int64_t ps_panel_count(int64_t n, int64_t k) { return (n + PS_PANEL - 1) / PS_PANEL * PS_PANEL * k; }

void ps_pack_panels(const float *w, int64_t n, int64_t k, float *packed) {
  for (int64_t first = 0; first < n; first += PS_PANEL)
    for (int64_t i = 0; i < k; i++)
      for (int64_t j = 0; j < PS_PANEL; j++) *packed++ = first + j < n ? w[(first + j) * k + i] : 0;
}

/// y[0..<32] = sum over k of a[i] * panel[i][0..<32].
CLONES static void panel_1(const float *a, int64_t k, const float *panel, float *y) {
  vector16 s0 = {0}, s1 = {0}, t0 = {0}, t1 = {0};
  int64_t i = 0;
  for (; i + 2 <= k; i += 2, panel += 2 * PS_PANEL) {
    const vector16 *p = (const vector16 *)panel;
    s0 += a[i] * p[0];
    s1 += a[i] * p[1];
    t0 += a[i + 1] * p[2];
    t1 += a[i + 1] * p[3];
  }
  if (i < k) {
    const vector16 *p = (const vector16 *)panel;
    s0 += a[i] * p[0];
    s1 += a[i] * p[1];
  }
  ((vector16 *)y)[0] = s0 + t0;
  ((vector16 *)y)[1] = s1 + t1;
}

/// The same for four rows of a, `lda` apart; of y, PS_PANEL apart.
CLONES static void panel_4(const float *a, int64_t lda, int64_t k, const float *panel, float *y) {
  vector16 s[8] = {0};
  for (int64_t i = 0; i < k; i++, panel += PS_PANEL) {
    const vector16 *p = (const vector16 *)panel;
    for (int row = 0; row < 4; row++) {
      s[2 * row] += a[row * lda + i] * p[0];
      s[2 * row + 1] += a[row * lda + i] * p[1];
    }
  }
  for (int j = 0; j < 8; j++) ((vector16 *)y)[j] = s[j];
}

/// y [m, n] = a [m, k] * packed.
static void panel_product(const float *a, int64_t lda, int64_t m, const float *packed, int64_t n, int64_t k, float *y,
                          int64_t ldy) {
  float block[4 * PS_PANEL];
  for (int64_t first = 0; first < n; first += PS_PANEL, packed += PS_PANEL * k) {
    int64_t columns = n - first < PS_PANEL ? n - first : PS_PANEL;
    int64_t row = 0;
    for (; row + 4 <= m; row += 4) {
      panel_4(a + row * lda, lda, k, packed, block);
      for (int r = 0; r < 4; r++)
        memcpy(y + (row + r) * ldy + first, block + r * PS_PANEL, (size_t)columns * sizeof(float));
    }
    for (; row < m; row++) {
      panel_1(a + row * lda, k, packed, block);
      memcpy(y + row * ldy + first, block, (size_t)columns * sizeof(float));
    }
  }
}

// MARK: - Matrices without their zeros

/// Rows that a product with the lanes of vectors along them is worth turning them for.
static int64_t sparse_pitch(int64_t rows) {
  const int64_t whole = (rows + 15) / 16 * 16;
  return whole % 256 == 0 ? whole + 16 : whole;
}

static ps_sparse_args sparse_args(const ps_sparse_weights *w, int64_t rows, int64_t width) {
  const int64_t pitch = sparse_pitch(rows);
  return (ps_sparse_args){.weights = *w,
                          .images = 1,
                          .places = rows,
                          .y_row = 1,
                          .y_place = w->rows,
                          .pitch = rows,
                          .columns = rows,
                          .target = PS_SPARSE_PLACES,
                          .is_padded = 1,
                          .slope = 1,
                          .low = -INFINITY,
                          .high = INFINITY,
                          .function = -1,
                          .threads = 1,
                          .x_image = width * pitch};
}

int64_t ps_recurrent_sparse(int64_t rows, int64_t width) {
  const ps_sparse_weights none = {0};
  const ps_sparse_args args = sparse_args(&none, rows, width);
  return width * sparse_pitch(rows) + width + 16 + ps_sparse_scratch(&args);
}

/// y [rows, w.rows] = x [rows, width] * w, with `ps_recurrent_sparse` floats of scratch memory.
static void sparse_product(const ps_sparse_weights *w, const float *x, int64_t rows, int64_t width, float *y,
                           float *scratch) {
  if (rows <= PS_PANEL_ROWS) {
    ps_sparse_few(w, x, width, rows, y, w->rows, 0);
    return;
  }
  ps_sparse_args args = sparse_args(w, rows, width);
  const int64_t pitch = sparse_pitch(rows);
  int32_t *offsets = (int32_t *)(scratch + width * pitch);
  ps_sparse_transpose_args turn = {x, scratch, rows, width, width, pitch};
  ps_sparse_transpose(&turn);
  for (int64_t i = 0; i < width; i++) offsets[i] = (int32_t)(i * pitch);
  args.x = scratch;
  args.offsets = offsets;
  args.y = y;
  args.scratch = scratch + width * pitch + width;
  ps_sparse(&args);
}

// MARK: - Cells

static void apply(const ps_cell *cell, int function, float *x, int64_t n, float clip) {
  if (clip > 0)
    for (int64_t i = 0; i < n; i++) x[i] = x[i] < -clip ? -clip : x[i] > clip ? clip : x[i];
  ps_unary_args args = {x, x, n, cell->activations[function], cell->alphas[function], cell->betas[function]};
  // A loop inside a loop over the batch: one thread.
  ps_unary_serial(&args);
}

CLONES static void add(float *y, const float *x, int64_t n) { COMPACT for (int64_t i = 0; i < n; i++) y[i] += x[i]; }

CLONES static void add_product(float *y, const float *a, const float *b, int64_t n) {
  COMPACT for (int64_t i = 0; i < n; i++) y[i] += a[i] * b[i];
}

CLONES static void multiply(float *y, const float *a, const float *b, int64_t n) {
  COMPACT for (int64_t i = 0; i < n; i++) y[i] = a[i] * b[i];
}

/// c = forget * c + input * candidate.
CLONES static void blend(float *c, const float *forget, const float *input, const float *candidate, int64_t n) {
  COMPACT for (int64_t i = 0; i < n; i++) c[i] = forget[i] * c[i] + input[i] * candidate[i];
}

/// h = (1 - update) * candidate + update * h.
CLONES static void mix(float *h, const float *update, const float *candidate, int64_t n) {
  COMPACT for (int64_t i = 0; i < n; i++) h[i] = (1 - update[i]) * candidate[i] + update[i] * h[i];
}

/// `gates` holds input, output, forget and candidate, both shares added.
static void lstm(const ps_recurrent_args *args, const ps_cell *cell, float *gates, float *h, float *c) {
  int64_t n = args->hidden;
  float *input = gates, *output = gates + n, *forget = gates + 2 * n, *candidate = gates + 3 * n;
  if (cell->peephole) {
    add_product(input, cell->peephole, c, n);
    add_product(forget, cell->peephole + 2 * n, c, n);
  }
  int is_plain = !cell->peephole && !args->couples_forget;
  apply(cell, 0, input, is_plain ? 3 * n : n, args->clip);
  if (args->couples_forget)
    for (int64_t i = 0; i < n; i++) forget[i] = 1 - input[i];
  else if (!is_plain) apply(cell, 0, forget, n, args->clip);
  apply(cell, 1, candidate, n, args->clip);
  blend(c, forget, input, candidate, n);
  if (cell->peephole) add_product(output, cell->peephole + n, c, n);
  if (!is_plain) apply(cell, 0, output, n, args->clip);
  memcpy(candidate, c, (size_t)n * sizeof(float));
  apply(cell, 2, candidate, n, 0);
  multiply(h, output, candidate, n);
}

/// `gates` holds update, reset and candidate; `back` the state's share of the candidate where that is reset after the
/// product, else it is computed here.
static void gru(const ps_recurrent_args *args, const ps_cell *cell, float *gates, float *back, float *h) {
  int64_t n = args->hidden;
  float *update = gates, *reset = gates + n, *candidate = gates + 2 * n;
  apply(cell, 0, update, 2 * n, args->clip);
  if (args->resets_after) {
    if (cell->candidate_bias) add(back, cell->candidate_bias, n);
    add_product(candidate, reset, back, n);
  } else {
    multiply(reset, reset, h, n);
    if (cell->sparse_candidate.rows > 0) ps_sparse_few(&cell->sparse_candidate, reset, n, 1, back, n, 0);
    else panel_product(reset, n, 1, cell->candidate, n, n, back, n);
    add(candidate, back, n);
  }
  apply(cell, 1, candidate, n, args->clip);
  mix(h, update, candidate, n);
}

// MARK: - Sequences

static int32_t run_direction(const ps_recurrent_args *args, int32_t number) {
  const ps_cell *cell = &args->cells[number];
  int64_t n = args->hidden, batch = args->batch, steps = args->steps, all = args->gates * n, rows = steps * batch;
  // A GRU that resets before the product needs the state's share of two gates only.
  int64_t shared = args->gates == 3 && !args->resets_after ? 2 * n : all;
  float *own = args->scratch, *back = own + rows * all, *h = back + batch * all, *c = h + batch * n,
        *extra = c + batch * n;
  if (cell->sparse_w.rows > 0) {
    sparse_product(&cell->sparse_w, args->x, rows, args->width, own, extra + batch * n);
  } else if (rows <= PS_PANEL_ROWS) {
    panel_product(args->x, args->width, rows, cell->w, all, args->width, own, all);
  } else {
    int32_t status =
        ps_product('N', 'T', rows, all, args->width, 1, args->x, args->width, cell->w, args->width, 0, own, all);
    if (status) return status;
  }
  if (cell->bias)
    for (int64_t row = 0; row < rows; row++) add(own + row * all, cell->bias, all);
  size_t bytes = (size_t)n * sizeof(float);
  for (int64_t item = 0; item < batch; item++) {
    int64_t place = number * args->h_direction + item * args->h_batch;
    if (args->h0) memcpy(h + item * n, args->h0 + place, bytes);
    else memset(h + item * n, 0, bytes);
    if (args->c0) memcpy(c + item * n, args->c0 + place, bytes);
    else memset(c + item * n, 0, bytes);
  }
  int reverse = args->is_reverse || number == 1;
  for (int64_t step = 0; step < steps; step++) {
    if (cell->sparse_r.rows > 0) {
      ps_sparse_few(&cell->sparse_r, h, n, batch, back, all, 0);
    } else if (batch <= PS_PANEL_ROWS) {
      panel_product(h, n, batch, cell->r, shared, n, back, all);
    } else {
      int32_t status = ps_product('N', 'T', batch, shared, n, 1, h, n, cell->r, n, 0, back, all);
      if (status) return status;
    }
    for (int64_t item = 0; item < batch; item++) {
      int64_t length = args->lengths ? args->lengths[item] : steps;
      int64_t time = reverse ? length - 1 - step : step;
      if (step >= length) continue;
      float *gates = own + (args->is_batch_first ? item * steps + time : time * batch + item) * all;
      float *state = h + item * n, *share = back + item * all;
      if (args->gates == 3 && args->resets_after) add(gates, share, 2 * n);
      else add(gates, share, shared);
      switch (args->gates) {
      case 1:
        apply(cell, 0, gates, n, args->clip);
        memcpy(state, gates, bytes);
        break;
      case 3: gru(args, cell, gates, args->resets_after ? share + 2 * n : extra, state); break;
      default: lstm(args, cell, gates, state, c + item * n);
      }
      if (args->y)
        memcpy(args->y + time * args->y_time + item * args->y_batch + number * args->y_direction, state, bytes);
    }
  }
  for (int64_t item = 0; item < batch; item++) {
    int64_t place = number * args->h_direction + item * args->h_batch;
    if (args->last) memcpy(args->last + place, h + item * n, bytes);
    if (args->last_cell) memcpy(args->last_cell + place, c + item * n, bytes);
    if (!args->y) continue;
    // Nothing comes of what lies beyond an item's end.
    for (int64_t time = args->lengths ? args->lengths[item] : steps; time < steps; time++)
      memset(args->y + time * args->y_time + item * args->y_batch + number * args->y_direction, 0, bytes);
  }
  return 0;
}

int32_t ps_recurrent(void *user) {
  const ps_recurrent_args *args = user;
  if (args->lengths)
    for (int64_t item = 0; item < args->batch; item++)
      if (args->lengths[item] < 0 || args->lengths[item] > args->steps) return PS_STATUS_BAD_LENGTH;
  for (int32_t number = 0; number < args->directions; number++) {
    int32_t status = run_direction(args, number);
    if (status) return status;
  }
  return 0;
}
