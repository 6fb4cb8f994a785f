/*
 * prunez: a decoder of packed models (.prunez), in one file and without dependencies.
 *
 * In one C file of the program:      #define PRUNEZ_IMPLEMENTATION
 *                                    #include "prunez.h"
 * and in all others:                 #include "prunez.h"
 *
 * @code
 *   static uint8_t work[1 << 16];  // at least prunez_work_size(data, size) bytes
 *   prunez_reader reader;
 *   prunez_tensor tensor;
 *   if (prunez_open(&reader, data, size, work, sizeof work) == 0 && prunez_find(&reader, "fc.weight", &tensor) == 0)
 *     prunez_decode(&tensor, weights, sizeof weights);  // tensor.byte_count bytes, little-endian
 * @endcode
 * or the whole ONNX file, bit by bit as it was packed: prunez_onnx(&reader, out, prunez_onnx_size(&reader)).
 *
 * Nothing is allocated; decoding a tensor takes 5 KB of stack, 9 KB where elements have 8 bytes. The work memory of a file of 10 KB
 * is 2 KB and what the file holds beside weights, about 1 KB. Every length in the file is checked: a damaged file gives an
 * error or wrong numbers, and never reads or writes out of bounds. C99 or C++.
 *
 * The format, numbers being varints (7 bits a byte, low ones first) unless stated:
 *   "PRNZ", version 1 (byte), log2 of the context table (byte), bytes of the head, bytes of the packed head, the packed head,
 *   then the payloads of the tensors in the order of the head's directory.
 *   The head: number of tensors; for each the bytes of ONNX file before its data (since the last tensor's), length and text of
 *   its name, ONNX dtype, rank, extents, codec, width, palette size, payload bytes; then the ONNX file without that data.
 *   A payload: codec 0, the bytes themselves; codec 1 (bit 0) with bit 1 where zeros have flags and bits 8.. for byte planes
 *   that are stored as they are: the palette if any (sorted patterns, `width` bytes each), bytes of the coded stream, that
 *   stream, the plain planes' bytes element by element.
 *   Coded streams are those of a binary range coder (32 bits, carry propagated by the encoder) with adaptive probabilities.
 */
#ifndef PRUNEZ_H
#define PRUNEZ_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct prunez_tensor {
  /** Not terminated: `name_size` bytes of UTF-8 within the work memory. */
  const char *name;
  size_t name_size;
  /** ONNX's number: 1 float32, 2 uint8, 3 int8, 7 int64, 10 float16, ... */
  uint32_t dtype;
  uint32_t rank;
  uint64_t dims[8];
  /** What prunez_decode writes. */
  size_t byte_count;

  /* How it is stored. */
  const uint8_t *payload;
  size_t payload_size;
  size_t before;
  uint32_t codec, width, palette;
} prunez_tensor;

typedef struct prunez_reader {
  const uint8_t *head, *payloads;
  size_t head_size, payload_size, directory;
  uint64_t count;
  /* Of prunez_next. */
  size_t place, payload;
  uint64_t index;
} prunez_reader;

/** Bytes of work memory that prunez_open needs; 0 when this is no prunez file. */
size_t prunez_work_size(const void *data, size_t size);
/** Reads the directory. Data and work memory (4-byte aligned) stay in use. 0, or -1 for a damaged file or too little memory. */
int prunez_open(prunez_reader *reader, const void *data, size_t size, void *work, size_t work_size);
/** The next tensor: 1, or 0 after the last one, or -1 for a damaged file. */
int prunez_next(prunez_reader *reader, prunez_tensor *tensor);
/** The tensor of a name: 0, or -1 when there is none. */
int prunez_find(prunez_reader *reader, const char *name, prunez_tensor *tensor);
/** Writes the elements of a tensor. 0, or -1 when `size` is not its byte_count or the file is damaged. */
int prunez_decode(const prunez_tensor *tensor, void *out, size_t size);
/** Bytes of the ONNX file that was packed; 0 for a damaged file. Neither this nor prunez_onnx moves prunez_next. */
size_t prunez_onnx_size(prunez_reader *reader);
/** Writes that ONNX file. 0, or -1 when `size` is not prunez_onnx_size or the file is damaged. */
int prunez_onnx(prunez_reader *reader, void *out, size_t size);

#ifdef __cplusplus
}
#endif
#endif /* PRUNEZ_H */

#ifdef PRUNEZ_IMPLEMENTATION
#ifndef PRUNEZ_IMPLEMENTED
#define PRUNEZ_IMPLEMENTED

#include <string.h>

/* ---- The range coder. A probability is 22 bits of "the bit is 0" and 10 bits of how often it was seen. */

typedef struct prunez_bits {
  const uint8_t *next, *end;
  uint32_t range, code;
} prunez_bits;

#define PRUNEZ_FRESH ((uint32_t)1 << 31)
#define PRUNEZ_LIMIT 1022

static uint32_t prunez_byte(prunez_bits *bits) { return bits->next < bits->end ? *bits->next++ : 0; }

static void prunez_start(prunez_bits *bits, const uint8_t *data, size_t size) {
  bits->next = data;
  bits->end = data + size;
  bits->range = 0xffffffffu;
  bits->code = 0;
  for (int i = 0; i < 4; i++) bits->code = bits->code << 8 | prunez_byte(bits);
}

/** Decodes a bit whose chance of being 0 is p of 4096. */
static int prunez_bit_of(prunez_bits *bits, uint32_t p) {
  uint32_t bound = (bits->range >> 12) * p;
  int bit = bits->code >= bound;
  if (bit) {
    bits->code -= bound;
    bits->range -= bound;
  } else {
    bits->range = bound;
  }
  while (bits->range < (uint32_t)1 << 24) {
    bits->range <<= 8;
    bits->code = bits->code << 8 | prunez_byte(bits);
  }
  return bit;
}

static uint32_t prunez_chance(uint32_t state) {
  uint32_t p = state >> 20;
  return p < 1 ? 1 : p > 4095 ? 4095 : p;
}

static void prunez_learn(uint32_t *state, int bit) {
  int32_t p = (int32_t)(*state >> 10), n = (int32_t)(*state & 1023), target = bit ? 0 : 4194303;
  p += 2 * (target - p) / (2 * n + 3);
  *state = (uint32_t)p << 10 | (uint32_t)(n < PRUNEZ_LIMIT ? n + 1 : n);
}

static int prunez_bit(prunez_bits *bits, uint32_t *state) {
  int bit = prunez_bit_of(bits, prunez_chance(*state));
  prunez_learn(state, bit);
  return bit;
}

/** `count` bits, high ones first, through a tree of probabilities. */
static uint32_t prunez_tree(prunez_bits *bits, uint32_t *states, int count) {
  uint32_t node = 1;
  for (int i = 0; i < count; i++) node = node << 1 | (uint32_t)prunez_bit(bits, &states[node]);
  return node - ((uint32_t)1 << count);
}

static void prunez_reset(uint32_t *states, size_t count) {
  for (size_t i = 0; i < count; i++) states[i] = PRUNEZ_FRESH;
}

/* ---- Varints */

typedef struct prunez_bytes {
  const uint8_t *data;
  size_t size, place;
  int failed;
} prunez_bytes;

static uint64_t prunez_varint(prunez_bytes *bytes) {
  uint64_t value = 0;
  for (int shift = 0; shift < 63; shift += 7) {
    if (bytes->place >= bytes->size) break;
    uint8_t byte = bytes->data[bytes->place++];
    value |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) return value;
  }
  bytes->failed = 1;
  return 0;
}

static size_t prunez_length(prunez_bytes *bytes) {
  uint64_t value = prunez_varint(bytes);
  if (value > (uint64_t)1 << 40 || value > (size_t)-1 / 4) {
    bytes->failed = 1;
    return 0;
  }
  return (size_t)value;
}

/* ---- The head: bytes predicted from those before them, orders 0, 1, 2, 3, 4 and 6 averaged by weight. */

static const uint8_t prunez_orders[6] = {0, 1, 2, 3, 4, 6};

/** The six contexts of a byte that begins at `place`. */
static void prunez_hashes(const uint8_t *bytes, size_t place, uint32_t *hashes) {
  for (int i = 0; i < 6; i++) {
    uint32_t hash = (uint32_t)(i + 1) * 0x9e3779b1u;
    for (size_t back = 1; back <= prunez_orders[i]; back++) {
      hash = (hash ^ (place >= back ? bytes[place - back] : 0u)) * 0x01000193u;
      hash ^= hash >> 15;
    }
    hashes[i] = hash;
  }
}

static uint32_t prunez_slot(uint32_t hash, uint32_t node, int log2) {
  return ((hash + node * 0x9e3779b1u) * 0x85ebca6bu) >> (32 - log2);
}

/** The chance that a bit of the head is 0: contexts that were seen more, and longer ones, count more. */
static uint32_t prunez_mix(const uint32_t *table, const uint32_t *slots) {
  uint64_t sum = 2048, weights = 1;
  for (uint32_t i = 0; i < 6; i++) {
    uint32_t state = table[slots[i]], n = state & 1023;
    if (n == 0) continue;
    uint32_t p = state >> 20, far = p > 2048 ? p - 2048 : 2048 - p;
    uint32_t weight = ((i + 1) * (i + 1) * (far * far / 2048 + 32)) * (n > 3 ? 3 : n);
    sum += (uint64_t)weight * p;
    weights += weight;
  }
  uint32_t p = (uint32_t)(sum / weights);
  return p < 16 ? 16 : p > 4080 ? 4080 : p;
}

static void prunez_unpack_head(
    prunez_bits *bits, uint8_t *head, size_t size, uint32_t *table, int log2) {
  uint32_t hashes[6], slots[6];
  prunez_reset(table, (size_t)1 << log2);
  for (size_t place = 0; place < size; place++) {
    uint32_t node = 1;
    prunez_hashes(head, place, hashes);
    while (node < 256) {
      for (int i = 0; i < 6; i++) slots[i] = prunez_slot(hashes[i], node, log2);
      int bit = prunez_bit_of(bits, prunez_mix(table, slots));
      for (int i = 0; i < 6; i++) prunez_learn(&table[slots[i]], bit);
      node = node << 1 | (uint32_t)bit;
    }
    head[place] = (uint8_t)node;
  }
}

/* ---- Files */

/** What precedes the packed head: sizes, and whether they are possible. */
static int prunez_sizes(const uint8_t *data, size_t size, int *log2, size_t *head, size_t *packed, size_t *start) {
  if (size < 8 || memcmp(data, "PRNZ\1", 5) != 0 || data[5] < 8 || data[5] > 20) return -1;
  prunez_bytes bytes = {data, size, 6, 0};
  *log2 = data[5];
  *head = prunez_length(&bytes);
  *packed = prunez_length(&bytes);
  *start = bytes.place;
  return bytes.failed || *packed > size - bytes.place || *head == 0 || *head / 2000 > *packed ? -1 : 0;
}

size_t prunez_work_size(const void *data, size_t size) {
  int log2;
  size_t head, packed, start;
  if (!data || prunez_sizes((const uint8_t *)data, size, &log2, &head, &packed, &start) != 0) return 0;
  return head + ((size_t)4 << log2);
}

int prunez_open(prunez_reader *reader, const void *data, size_t size, void *work, size_t work_size) {
  int log2;
  size_t head, packed, start;
  const uint8_t *bytes = (const uint8_t *)data;
  prunez_bits bits;
  memset(reader, 0, sizeof *reader);
  if (!data || !work || prunez_sizes(bytes, size, &log2, &head, &packed, &start) != 0) return -1;
  if (work_size < head + ((size_t)4 << log2)) return -1;
  uint8_t *out = (uint8_t *)work + ((size_t)4 << log2);
  prunez_start(&bits, bytes + start, packed);
  prunez_unpack_head(&bits, out, head, (uint32_t *)work, log2);
  reader->head = out;
  reader->head_size = head;
  reader->payloads = bytes + start + packed;
  reader->payload_size = size - start - packed;
  prunez_bytes directory = {out, head, 0, 0};
  reader->count = prunez_varint(&directory);
  reader->directory = reader->place = directory.place;
  return directory.failed ? -1 : 0;
}

int prunez_next(prunez_reader *reader, prunez_tensor *tensor) {
  if (reader->index >= reader->count) return 0;
  prunez_bytes bytes = {reader->head, reader->head_size, reader->place, 0};
  memset(tensor, 0, sizeof *tensor);
  tensor->before = prunez_length(&bytes);
  tensor->name_size = prunez_length(&bytes);
  if (bytes.failed || tensor->name_size > bytes.size - bytes.place) return -1;
  tensor->name = (const char *)bytes.data + bytes.place;
  bytes.place += tensor->name_size;
  tensor->dtype = (uint32_t)prunez_length(&bytes);
  tensor->rank = (uint32_t)prunez_length(&bytes);
  if (tensor->rank > 8) return -1;
  for (uint32_t i = 0; i < tensor->rank; i++) tensor->dims[i] = prunez_length(&bytes);
  tensor->codec = (uint32_t)prunez_length(&bytes);
  tensor->width = (uint32_t)prunez_length(&bytes);
  tensor->palette = (uint32_t)prunez_length(&bytes);
  tensor->byte_count = prunez_length(&bytes);
  tensor->payload_size = prunez_length(&bytes);
  if (bytes.failed || tensor->payload_size > reader->payload_size - reader->payload || tensor->palette > 256) return -1;
  if (tensor->width != 1 && tensor->width != 2 && tensor->width != 4 && tensor->width != 8) return -1;
  /* No element takes less of the payload than its least probable cost. */
  if (tensor->byte_count % tensor->width != 0 || tensor->byte_count / 200000 > tensor->payload_size) return -1;
  tensor->payload = reader->payloads + reader->payload;
  reader->payload += tensor->payload_size;
  reader->place = bytes.place;
  reader->index++;
  return 1;
}

static void prunez_rewind(prunez_reader *reader) {
  reader->place = reader->directory;
  reader->payload = 0;
  reader->index = 0;
}

int prunez_find(prunez_reader *reader, const char *name, prunez_tensor *tensor) {
  size_t size = strlen(name);
  prunez_rewind(reader);
  while (prunez_next(reader, tensor) == 1) {
    if (tensor->name_size == size && memcmp(tensor->name, name, size) == 0) return 0;
  }
  return -1;
}

/* ---- Tensors */

static int prunez_is_zero(const uint8_t *element, uint32_t width) {
  for (uint32_t i = 0; i < width; i++) {
    if (element[i]) return 0;
  }
  return 1;
}

/** The context of a zero flag: how many of the eight elements before, and of the eight above in the same column, are not zero. */
static uint32_t prunez_neighbours(const uint8_t *out, size_t index, uint32_t width, size_t row) {
  uint32_t left = 0, above = 0, last = 0;
  for (size_t back = 1; back <= 8 && back <= index; back++) left += !prunez_is_zero(out + (index - back) * width, width);
  if (index > 0) last = !prunez_is_zero(out + (index - 1) * width, width);
  if (row > 0) {
    for (size_t back = 1; back <= 8 && back <= index / row; back++) {
      above += !prunez_is_zero(out + (index - back * row) * width, width);
    }
  }
  return (last * 6 + (left > 5 ? 5 : left)) * 6 + (above > 5 ? 5 : above);
}

/* Each function has its own stack: small ones stay small. */
#if defined(__GNUC__)
#define PRUNEZ_ALONE __attribute__((noinline))
#else
#define PRUNEZ_ALONE
#endif

PRUNEZ_ALONE static int prunez_coded(const prunez_tensor *tensor, void *out, size_t size, uint32_t *trees, size_t tree_count) {
  uint32_t flags[72];
  uint8_t *bytes = (uint8_t *)out;
  uint32_t width = tensor->width;
  size_t count = size / width, row = 0, palette = (size_t)tensor->palette * width;
  if (tensor->rank > 1 && tensor->dims[0] > 0) row = count / (size_t)tensor->dims[0];
  if (palette > tensor->payload_size) return -1;
  prunez_bytes source = {tensor->payload, tensor->payload_size, palette, 0};
  size_t coded = prunez_length(&source);
  if (source.failed || coded > source.size - source.place) return -1;
  prunez_bits bits;
  prunez_start(&bits, source.data + source.place, coded);
  const uint8_t *plain = source.data + source.place + coded, *end = source.data + source.size;
  prunez_reset(flags, 72);
  prunez_reset(trees, tree_count);
  int depth = 0;
  while (((uint32_t)1 << depth) < tensor->palette) depth++;
  uint32_t before = 0, middle = tensor->palette / 2;
  for (size_t index = 0; index < count; index++) {
    uint8_t *element = bytes + index * width;
    if (tensor->codec & 2 && !prunez_bit(&bits, &flags[prunez_neighbours(bytes, index, width, row)])) {
      memset(element, 0, width);
      continue;
    }
    if (tensor->palette) {
      uint32_t symbol = prunez_tree(&bits, trees + before * 256, depth);
      if (symbol >= tensor->palette) return -1;
      memcpy(element, tensor->payload + symbol * width, width);
      uint32_t far = symbol > middle ? symbol - middle : middle - symbol;
      before = far * 8 < tensor->palette ? 0 : far * 4 < tensor->palette ? 1 : 2;
      continue;
    }
    for (uint32_t plane = width; plane-- > 0;) {
      if (tensor->codec >> (8 + plane) & 1) {
        if (plain == end) return -1;
        element[plane] = *plain++;
      } else {
        element[plane] = (uint8_t)prunez_tree(&bits, trees + plane * 256, 8);
      }
    }
  }
  return plain == end ? 0 : -1;
}

PRUNEZ_ALONE static int prunez_narrow(const prunez_tensor *tensor, void *out, size_t size) {
  uint32_t trees[4 * 256];
  return prunez_coded(tensor, out, size, trees, 4 * 256);
}

PRUNEZ_ALONE static int prunez_wide(const prunez_tensor *tensor, void *out, size_t size) {
  uint32_t trees[8 * 256];
  return prunez_coded(tensor, out, size, trees, 8 * 256);
}

int prunez_decode(const prunez_tensor *tensor, void *out, size_t size) {
  if (size != tensor->byte_count) return -1;
  if (tensor->codec & 1) return tensor->width > 4 ? prunez_wide(tensor, out, size) : prunez_narrow(tensor, out, size);
  if (tensor->payload_size != size) return -1;
  if (size) memcpy(out, tensor->payload, size);
  return 0;
}

/** Goes through the directory, to its end. */
static size_t prunez_scan(prunez_reader *reader) {
  prunez_tensor tensor;
  size_t total = 0, before = 0;
  int more;
  prunez_rewind(reader);
  while ((more = prunez_next(reader, &tensor)) == 1) {
    if (tensor.byte_count > (size_t)-1 / 2 - total) return 0;
    total += tensor.byte_count;
    before += tensor.before;
    if (before > reader->head_size) return 0;
  }
  size_t rest = reader->head_size - reader->place;
  return more != 0 || before > rest || reader->payload != reader->payload_size ? 0 : total + rest;
}

size_t prunez_onnx_size(prunez_reader *reader) {
  prunez_reader copy = *reader;
  return prunez_scan(&copy);
}

int prunez_onnx(prunez_reader *reader, void *out, size_t size) {
  prunez_tensor tensor;
  prunez_reader copy = *reader;
  uint8_t *target = (uint8_t *)out;
  if (size == 0 || prunez_scan(&copy) != size) return -1;
  /* The scan left the directory's end behind. */
  const uint8_t *file = copy.head + copy.place, *end = copy.head + copy.head_size;
  prunez_rewind(&copy);
  while (prunez_next(&copy, &tensor) == 1) {
    memcpy(target, file, tensor.before);
    target += tensor.before;
    file += tensor.before;
    if (prunez_decode(&tensor, target, tensor.byte_count) != 0) return -1;
    target += tensor.byte_count;
  }
  memcpy(target, file, (size_t)(end - file));
  return 0;
}

#endif /* PRUNEZ_IMPLEMENTED */
#endif /* PRUNEZ_IMPLEMENTATION */
