// What this machine is called and can do, for reports.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "prune_support.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

void ps_processor_name(char *name, size_t size) {
  unsigned words[12] = {0};
  if (size == 0) return;
  name[0] = 0;
  if (!__get_cpuid(0x80000002, &words[0], &words[1], &words[2], &words[3])) return;
  if (!__get_cpuid(0x80000003, &words[4], &words[5], &words[6], &words[7])) return;
  if (!__get_cpuid(0x80000004, &words[8], &words[9], &words[10], &words[11])) return;
  char text[sizeof words + 1];
  memcpy(text, words, sizeof words);
  text[sizeof words] = 0;
  snprintf(name, size, "%s", text + strspn(text, " "));
}

void ps_instruction_sets(char *names, size_t size) {
  static const char separator[] = " ";
  size_t used = 0;
  if (size == 0) return;
  names[0] = 0;
#define ADD(feature)                                                                             \
  if (__builtin_cpu_supports(feature) && used + sizeof feature + 1 < size) {                     \
    used += (size_t)snprintf(names + used, size - used, "%s%s", used ? separator : "", feature); \
  }
  ADD("sse4.2")
  ADD("avx")
  ADD("avx2")
  ADD("fma")
  ADD("f16c")
  ADD("avxvnni")
  ADD("avx512f")
  ADD("avx512bw")
  ADD("avx512vnni")
  ADD("avx512bf16")
  ADD("avx512fp16")
  ADD("amx-int8")
  ADD("amx-bf16")
#undef ADD
}
#else
void ps_processor_name(char *name, size_t size) {
  if (size) name[0] = 0;
}

void ps_instruction_sets(char *names, size_t size) {
  if (size) names[0] = 0;
}
#endif

int64_t ps_last_cache_bytes(void) {
  long most = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
  const int levels[] = {_SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
  for (int i = 0; i < 2; i++) {
    const long bytes = sysconf(levels[i]);
    if (bytes > most) most = bytes;
  }
#endif
  return most;
}

void ps_cache_forget(const void *bytes, int64_t count) {
#ifdef __x86_64__
  const char *from = bytes;
  for (int64_t i = 0; i < count; i += 64) _mm_clflush(from + i);
  _mm_mfence();
#else
  (void)bytes;
  (void)count;
#endif
}
