#include "prune_support.h"

// UCI Optical Recognition of Handwritten Digits, the 1,797 8x8 images that scikit-learn ships (CC BY 4.0):
// gzip'ed CSV, 64 pixels 0...16 and the label in each row.
static const unsigned char digits[] = {
#embed "data/digits.csv.gz"
};
const unsigned char *const ps_digits_csv_gz = digits;
const size_t ps_digits_csv_gz_size = sizeof digits;
