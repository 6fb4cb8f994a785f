#include "prune_images.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The part of TurboJPEG's and libspng's stable interfaces that is used; no header of theirs is needed.
enum { TJPF_RGB = 0, TJPF_CMYK = 11, TJCS_CMYK = 3, TJCS_YCCK = 4, TJERR_WARNING = 0, TJFLAG_LIMITSCANS = 32768 };
static struct {
  void *(*open)(void);
  int (*header)(void *, const unsigned char *, unsigned long, int *, int *, int *, int *);
  int (*decode)(void *, const unsigned char *, unsigned long, unsigned char *, int, int, int, int, int);
  int (*close)(void *);
  char *(*message)(void *);
  int (*code)(void *);
} jpeg;

struct png_header {
  uint32_t width, height;
  uint8_t bit_depth, color_type, compression, filter, interlace;
};
enum { SPNG_FMT_RGB8 = 4 };
static struct {
  void *(*open)(int);
  void (*close)(void *);
  int (*buffer)(void *, const void *, size_t);
  int (*limits)(void *, uint32_t, uint32_t);
  int (*chunks)(void *, size_t, size_t);
  int (*header)(void *, struct png_header *);
  int (*size)(void *, int, size_t *);
  int (*decode)(void *, void *, size_t, int, int);
  const char *(*message)(int);
} png;

static int has_jpeg, has_png;

// Safe: POSIX lets a pointer from dlsym be stored through void **.
static int load(void *library, void *slot, const char *name) {
  *(void **)slot = dlsym(library, name);
  return *(void **)slot != NULL;
}

static void open_libraries(void) {
  void *library = dlopen("libturbojpeg.so.0", RTLD_NOW | RTLD_LOCAL);
  has_jpeg = library && load(library, &jpeg.open, "tjInitDecompress") &&
             load(library, &jpeg.header, "tjDecompressHeader3") && load(library, &jpeg.decode, "tjDecompress2") &&
             load(library, &jpeg.close, "tjDestroy") && load(library, &jpeg.message, "tjGetErrorStr2") &&
             load(library, &jpeg.code, "tjGetErrorCode");
  library = dlopen("libspng.so.0", RTLD_NOW | RTLD_LOCAL);
  has_png = library && load(library, &png.open, "spng_ctx_new") && load(library, &png.close, "spng_ctx_free") &&
            load(library, &png.buffer, "spng_set_png_buffer") && load(library, &png.limits, "spng_set_image_limits") &&
            load(library, &png.chunks, "spng_set_chunk_limits") && load(library, &png.header, "spng_get_ihdr") &&
            load(library, &png.size, "spng_decoded_image_size") && load(library, &png.decode, "spng_decode_image") &&
            load(library, &png.message, "spng_strerror");
}

static int fail(int status, char *message, const char *reason) {
  snprintf(message, 200, "%s", reason ? reason : "");
  return status;
}

enum { JPEG, PNG };

static int kind_of(const uint8_t *data, size_t size, char *message) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, open_libraries);
  if (size > 3 && data[0] == 0xFF && data[1] == 0xD8 && data[2] == 0xFF) {
    if (!has_jpeg)
      return -fail(PS_IMAGE_NO_LIBRARY, message,
                   "JPEG needs libjpeg-turbo's libturbojpeg.so.0 (Debian: libturbojpeg0)");
    return JPEG;
  }
  if (size > 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0) {
    if (!has_png) return -fail(PS_IMAGE_NO_LIBRARY, message, "PNG needs libspng.so.0 (Debian: libspng0)");
    return PNG;
  }
  return -fail(PS_IMAGE_UNKNOWN, message, size ? "the file is neither JPEG nor PNG" : "the file is empty");
}

// MARK: - JPEG

static int jpeg_header(void *decoder, const uint8_t *data, size_t size, int *width, int *height, int *colors,
                       char *message) {
  int subsampling = 0;
  if (jpeg.header(decoder, data, (unsigned long)size, width, height, &subsampling, colors) == 0) return PS_IMAGE_OK;
  // A warning leaves the extents as they were found.
  if (jpeg.code(decoder) == TJERR_WARNING && *width > 0 && *height > 0) return PS_IMAGE_OK;
  return fail(PS_IMAGE_BROKEN, message, jpeg.message(decoder));
}

static int jpeg_pixels(void *decoder, const uint8_t *data, size_t size, int width, int height, int format,
                       uint8_t *pixels, char *message) {
  int channels = format == TJPF_CMYK ? 4 : 3;
  if (jpeg.decode(decoder, data, (unsigned long)size, pixels, width, width * channels, height, format,
                  TJFLAG_LIMITSCANS) == 0) {
    return PS_IMAGE_OK;
  }
  const char *reason = jpeg.message(decoder);
  // Warnings are about bytes that do not matter, but for a file that ends too early.
  if (jpeg.code(decoder) == TJERR_WARNING && !strstr(reason, "Premature end of JPEG")) return PS_IMAGE_OK;
  return fail(PS_IMAGE_BROKEN, message, reason);
}

static int decode_jpeg(const uint8_t *data, size_t size, int32_t width, int32_t height, uint8_t *rgb, char *message) {
  void *decoder = jpeg.open();
  if (!decoder) return fail(PS_IMAGE_BROKEN, message, "no memory to decode JPEG");
  int found_width = 0, found_height = 0, colors = 0;
  int status = jpeg_header(decoder, data, size, &found_width, &found_height, &colors, message);
  if (status == PS_IMAGE_OK && (found_width != width || found_height != height)) {
    status = fail(PS_IMAGE_BROKEN, message, "the extents changed");
  }
  if (status == PS_IMAGE_OK && colors != TJCS_CMYK && colors != TJCS_YCCK) {
    status = jpeg_pixels(decoder, data, size, width, height, TJPF_RGB, rgb, message);
  } else if (status == PS_IMAGE_OK) {
    // Printers' colours, stored inverted as Adobe does: what is left of each after black.
    int64_t count = (int64_t)width * height;
    uint8_t *inks = malloc((size_t)count * 4);
    status = inks ? jpeg_pixels(decoder, data, size, width, height, TJPF_CMYK, inks, message)
                  : fail(PS_IMAGE_BROKEN, message, "no memory to decode JPEG");
    for (int64_t i = 0; status == PS_IMAGE_OK && i < count; i++) {
      for (int c = 0; c < 3; c++) rgb[3 * i + c] = (uint8_t)((inks[4 * i + c] * inks[4 * i + 3] + 127) / 255);
    }
    free(inks);
  }
  jpeg.close(decoder);
  return status;
}

// MARK: - PNG

static int png_check(int code, char *message) {
  return code ? fail(PS_IMAGE_BROKEN, message, png.message(code)) : PS_IMAGE_OK;
}

static void *png_open(const uint8_t *data, size_t size, struct png_header *header, char *message) {
  void *decoder = png.open(0);
  if (!decoder) {
    fail(PS_IMAGE_BROKEN, message, "no memory to decode PNG");
    return NULL;
  }
  int code = png.limits(decoder, 1 << 17, 1 << 17);
  if (!code) code = png.chunks(decoder, 1 << 26, 1 << 27);
  if (!code) code = png.buffer(decoder, data, size);
  if (!code) code = png.header(decoder, header);
  if (!code) return decoder;
  png_check(code, message);
  png.close(decoder);
  return NULL;
}

static int decode_png(const uint8_t *data, size_t size, int32_t width, int32_t height, uint8_t *rgb, char *message) {
  struct png_header header;
  void *decoder = png_open(data, size, &header, message);
  if (!decoder) return PS_IMAGE_BROKEN;
  size_t expected = 3 * (size_t)width * (size_t)height, actual = 0;
  int status = png_check(png.size(decoder, SPNG_FMT_RGB8, &actual), message);
  if (status == PS_IMAGE_OK && actual != expected) status = fail(PS_IMAGE_BROKEN, message, "the extents changed");
  if (status == PS_IMAGE_OK) status = png_check(png.decode(decoder, rgb, expected, SPNG_FMT_RGB8, 0), message);
  png.close(decoder);
  return status;
}

// MARK: - Either

int ps_image_extents(const uint8_t *data, size_t size, int32_t *width, int32_t *height, char *message) {
  int kind = kind_of(data, size, message), status = PS_IMAGE_OK;
  if (kind < 0) return -kind;
  int64_t w = 0, h = 0;
  if (kind == JPEG) {
    void *decoder = jpeg.open();
    if (!decoder) return fail(PS_IMAGE_BROKEN, message, "no memory to decode JPEG");
    int found_width = 0, found_height = 0, colors = 0;
    status = jpeg_header(decoder, data, size, &found_width, &found_height, &colors, message);
    jpeg.close(decoder);
    w = found_width;
    h = found_height;
  } else {
    struct png_header header;
    void *decoder = png_open(data, size, &header, message);
    if (!decoder) return PS_IMAGE_BROKEN;
    png.close(decoder);
    w = header.width;
    h = header.height;
  }
  if (status != PS_IMAGE_OK) return status;
  // Twice what Pillow warns of: a small file that unpacks to more is a bomb.
  if (w < 1 || h < 1 || w > 1 << 17 || h > 1 << 17 || w * h > 178956970) {
    snprintf(message, 200, "the image is %lldx%lld", (long long)w, (long long)h);
    return PS_IMAGE_BROKEN;
  }
  *width = (int32_t)w;
  *height = (int32_t)h;
  return PS_IMAGE_OK;
}

int ps_image_decode(const uint8_t *data, size_t size, int32_t width, int32_t height, uint8_t *rgb, char *message) {
  int kind = kind_of(data, size, message);
  if (kind < 0) return -kind;
  return (kind == JPEG ? decode_jpeg : decode_png)(data, size, width, height, rgb, message);
}
