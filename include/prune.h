#ifndef PRUNE_H
#define PRUNE_H
#include <stddef.h>
#include <stdint.h>
#endif
