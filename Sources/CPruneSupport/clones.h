// A loop that is compiled for each width of vectors; which one runs is found out when the library is loaded.
#ifndef CLONES_H
#define CLONES_H

// What chooses runs before ThreadSanitizer's runtime is there, and may not be instrumented.
#if defined(__x86_64__) && !__has_feature(thread_sanitizer)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
// For much code that seldom matters.
#define FEW_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CLONES
#define FEW_CLONES
#endif

#endif
