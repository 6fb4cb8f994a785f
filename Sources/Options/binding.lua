return {
  {c = false, lua = "Model:summary", id = "summary", struct = "summary_options", fields = {
    {"width", "count", own = "width", text = "columns; the terminal's by default"},
    {"color", "value", type = "boolean", own = "color", text = "whether to colour; as the terminal decides by default"},
    {"file", "value", type = "file", own = "file", text = "where to write it in place of standard output"},
    {"shapes", "shapes", own = "shapes", count = "shape_count",
      text = "extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; MACs that depend on others are open"},
  }},
  {c = false, lua = "Report:to_text", id = "text", struct = "text_options", fields = {
    {"width", "count", own = "width", text = "columns; the terminal's by default"},
    {"color", "value", type = "boolean", own = "color", text = "whether to colour; as the terminal decides by default"},
  }},
  {c = false, lua = "Dataset:split", id = "split", struct = "split_options", fields = {
    {"test", "fraction", required = true, own = "test", text = "fraction of the second part, 0...1"},
    {"seed", "seed", default = 0, own = "seed", text = "seed of the shuffle"},
  }},
  {c = false, lua = "prune.distributed", id = "distributed", struct = "distributed_options", fields = {
    {"timeout", "nonnegative", default = 600, own = "timeout",
      text = "seconds that ranks may wait for each other at one point before they end with an error; 0 is no limit"},
    {"plugin", "text", own = "plugin",
      text = "path of the library that reaches the other ranks; libprune_mpi.so beside libprune by default"},
  }},
  {c = false, lua = "prune.data.idx", id = "idx", struct = "idx_options", fields = {
    {"images", "text", required = true, own = "images", text = "file of images"},
    {"labels", "text", required = true, own = "labels", text = "file of labels"},
  }},
  {c = false, lua = "prune.data.npz", id = "npz", struct = "npz_options", fields = {
    {"x", "value", type = "string|table", default = "x", own = "x",
      text = "name of the samples, [N, ...]; for a model of several inputs {input = name}"},
    {"y", "text", own = "y",
      text = [[name of the targets; "y" where the file has it, with named inputs none by default]]},
  }},
  {c = false, lua = "prune.data.npy", id = "npy", struct = "npy_options", fields = {
    {"y", "text", own = "y", text = "the file of the targets of one file of samples"},
  }},
  {c = false, lua = "prune.data.csv", id = "csv", struct = "csv_options", fields = {
    {"label", "value", type = "string|integer|table", own = "label",
      text = "the target's column, by name or by number from 1, or a list of them, which are values; the last one by default"},
  }},
  {c = false, lua = "Dataset:normalize", id = "normalize", struct = "normalize_options", fields = {
    {"mean", "value", type = "number|number[]", required = true, own = "mean", text = "one for all, or one a channel"},
    {"std", "value", type = "number|number[]", required = true, own = "std", text = "one for all, or one a channel"},
  }},
}
