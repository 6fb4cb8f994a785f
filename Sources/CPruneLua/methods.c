/* The methods of models that are in files of their own. */
#include "binding_options.h"

const luaL_Reg pl_model_work[] = {{"stats", pl_model_stats},
                                  {"sizes", pl_model_sizes},
                                  {"layers", pl_model_layers},
                                  {"fit", pl_model_fit},
                                  {"evaluate", pl_model_evaluate},
                                  {"benchmark", pl_model_benchmark},
                                  {"significance", pl_model_significance},
                                  {"differences", pl_model_differences},
                                  {"sensitivity", pl_model_sensitivity},
                                  {"prune", pl_model_prune},
                                  {"quantize", pl_model_quantize},
                                  {"factorize", pl_model_factorize},
                                  {"groups", pl_model_groups},
                                  {"graph", pl_model_graph},
                                  {"compact", pl_model_compact},
                                  {"simplify", pl_model_simplify},
                                  {"fix_shapes", pl_model_fix_shapes},
                                  {"keep_classes", pl_model_keep_classes},
                                  {"summary", pl_model_summary},
                                  {NULL, NULL}};
