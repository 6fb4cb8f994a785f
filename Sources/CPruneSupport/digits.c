#include "prune_support.h"

// UCI Optical Recognition of Handwritten Digits, the 1,797 8x8 images that scikit-learn ships (CC BY 4.0):
// gzip'ed CSV, 64 pixels 0...16 and the label in each row.
const unsigned char ps_digits_csv_gz[] = {
#embed "data/digits.csv.gz"
};
const size_t ps_digits_csv_gz_size = sizeof ps_digits_csv_gz;
