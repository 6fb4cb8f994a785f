/* The named arguments of every function, one line each. */
#include "binding_options.h"

#define SET(variable, name_, type, struct_, options_, base_)                                            \
  const option_set variable = {.name = name_, .options = options_, .count = OPTION_COUNT_OF(options_), \
                               .size = sizeof(type), .struct_size = struct_, .base = base_}

static const option group[] = {
    OPTION_LIST("parameters", prune_parameter_group, parameters, parameter_count, TEXTS),
    OPTION(prune_parameter_group, lr, POSITIVE),
    OPTION(prune_parameter_group, weight_decay, NUMBER),
    OPTION(prune_parameter_group, no_decay, FLAG),
};
SET(pl_group_set, "Model:fit groups", prune_parameter_group, sizeof(prune_parameter_group), group, NULL);

static const option augment[] = {
    OPTION(prune_augmentation, flip, FLAG),
    OPTION(prune_augmentation, crop, COUNT),
    OPTION(prune_augmentation, cutout, COUNT),
    OPTION(prune_augmentation, mixup, POSITIVE),
    OPTION(prune_augmentation, cutmix, POSITIVE),
};
SET(pl_augment_set, "Model:fit augment", prune_augmentation, sizeof(prune_augmentation), augment, NULL);

static const option regularizer[] = {
    OPTION_NEEDED(prune_regularizer, kind, TEXT),
    OPTION(prune_regularizer, strength, NUMBER),
    OPTION(prune_regularizer, growth, POSITIVE),
    OPTION(prune_regularizer, limit, POSITIVE),
    OPTION(prune_regularizer, interval, COUNT),
    OPTION_LIST("scope", prune_regularizer, scope, scope_count, TEXTS),
};
SET(pl_regularizer_set, "Model:fit regularizer", prune_regularizer, sizeof(prune_regularizer), regularizer, NULL);

static const option fit[] = {
    OPTION(prune_fit_options, epochs, COUNT),
    OPTION(prune_fit_options, batch_size, COUNT),
    OPTION_AS("shuffle", prune_fit_options, no_shuffle, NOT),
    OPTION(prune_fit_options, optimizer, TEXT),
    OPTION(prune_fit_options, lr, POSITIVE),
    OPTION(prune_fit_options, momentum, NUMBER),
    OPTION(prune_fit_options, nesterov, FLAG),
    OPTION(prune_fit_options, beta1, POSITIVE),
    OPTION(prune_fit_options, beta2, POSITIVE),
    OPTION(prune_fit_options, epsilon, POSITIVE),
    OPTION(prune_fit_options, weight_decay, NUMBER),
    OPTION(prune_fit_options, rho, FRACTION),
    OPTION(prune_fit_options, clip_norm, POSITIVE),
    OPTION(prune_fit_options, clip_value, POSITIVE),
    {.name = "groups", .kind = OPTION_TABLES, .offset = offsetof(prune_fit_options, groups),
     .extra = offsetof(prune_fit_options, group_count), .nested = &pl_group_set},
    OPTION(fit_options, loss, VALUE),
    OPTION(prune_fit_options, output, TEXT),
    OPTION(prune_fit_options, label_smoothing, FRACTION),
    OPTION_LIST("class_weights", prune_fit_options, class_weights, class_weight_count, NUMBERS),
    OPTION(prune_fit_options, delta, POSITIVE),
    OPTION(prune_fit_options, from_probabilities, FLAG),
    OPTION(prune_fit_options, schedule, TEXT),
    OPTION(prune_fit_options, warmup, COUNT),
    OPTION(prune_fit_options, step_epochs, COUNT),
    OPTION(prune_fit_options, gamma, FRACTION),
    OPTION(prune_fit_options, patience, COUNT),
    OPTION(prune_fit_options, validation, DATASET),
    OPTION(prune_fit_options, validation_split, FRACTION),
    OPTION(prune_fit_options, early_stopping, COUNT),
    OPTION(prune_fit_options, min_delta, NUMBER),
    OPTION(prune_fit_options, monitor, TEXT),
    OPTION(prune_fit_options, restore_best, FLAG),
    OPTION(prune_fit_options, checkpoint, TEXT),
    OPTION(prune_fit_options, checkpoint_epochs, COUNT),
    OPTION(fit_options, resume, VALUE),
    {.name = "regularizer", .kind = OPTION_TABLES, .offset = offsetof(prune_fit_options, regularizers),
     .extra = offsetof(prune_fit_options, regularizer_count), .nested = &pl_regularizer_set},
    OPTION(fit_options, dropout, VALUE),
    OPTION(fit_options, teacher, VALUE),
    OPTION(prune_fit_options, temperature, POSITIVE),
    OPTION(prune_fit_options, alpha, FRACTION),
    OPTION_LIST("features", prune_fit_options, features, feature_count, TEXTS),
    OPTION_LIST("teacher_features", prune_fit_options, teacher_features, teacher_feature_count, TEXTS),
    OPTION(prune_fit_options, feature_weight, POSITIVE),
    OPTION(prune_fit_options, checkpointing, FLAG),
    OPTION(prune_fit_options, palettes, FLAG),
    OPTION(prune_fit_options, batch_norm, FLAG),
    {.name = "augment", .kind = OPTION_TABLE, .offset = offsetof(prune_fit_options, augment), .nested = &pl_augment_set},
    OPTION(prune_fit_options, seed, SEED),
    OPTION_LIST("frozen", prune_fit_options, frozen, frozen_count, TEXTS),
    OPTION(fit_options, on_epoch, FUNCTION),
    OPTION(fit_options, on_batch, FUNCTION),
    OPTION(fit_options, verbose, FLAG),
};
static SET(fit_base, "Model:fit", fit_options, sizeof(prune_fit_options), fit, NULL);

static const option fit_data[] = {OPTION_NEEDED(fit_options, data, DATASET)};
SET(pl_fit_set, "Model:fit", fit_options, sizeof(prune_fit_options), fit_data, &fit_base);

static const option recover_data[] = {OPTION(fit_options, data, DATASET)};
SET(pl_recover_set, "Model:prune recover", fit_options, sizeof(prune_fit_options), recover_data, &fit_base);
static SET(pl_train_set, "Model:prune train", fit_options, sizeof(prune_fit_options), recover_data, &fit_base);

static const option guard[] = {
    OPTION(prune_guard, data, DATASET),
    OPTION(guard_options, metric, VALUE),
    OPTION(prune_guard, max_drop, NUMBER),
    OPTION(prune_guard, bound, NUMBER),
    OPTION(prune_guard, lower_is_better, FLAG),
    OPTION(prune_guard, output, TEXT),
};
SET(pl_guard_set, "guard", guard_options, sizeof(prune_guard), guard, NULL);

static const option schedule[] = {
    OPTION(schedule_options, kind, TEXT),
    OPTION(schedule_options, steps, COUNT),
};
SET(pl_schedule_set, "Model:prune schedule", schedule_options, 0, schedule, NULL);

static const option target[] = {
    OPTION(target_options, macs, FRACTION),
    OPTION(target_options, params, FRACTION),
    OPTION(target_options, bytes, FRACTION),
    OPTION(target_options, latency, FRACTION),
};
SET(pl_target_set, "Model:prune target", target_options, 0, target, NULL);

static const option prune[] = {
    OPTION(prune_prune_options, strategy, TEXT),
    OPTION(prune_call_options, criterion, VALUE),
    OPTION(prune_call_options, granularity, VALUE),
    OPTION(prune_prune_options, allocation, TEXT),
    OPTION(prune_prune_options, reconstruct, TEXT),
    OPTION(prune_prune_options, cost, TEXT),
    OPTION(prune_call_options, metric, VALUE),
    OPTION(prune_prune_options, lower_is_better, FLAG),
    OPTION(prune_prune_options, shared, TEXT),
    OPTION(prune_prune_options, recipe, TEXT),
    OPTION(prune_call_options, rewind, VALUE),
    OPTION(prune_prune_options, amount, FRACTION),
    OPTION(prune_prune_options, threshold, NUMBER),
    OPTION(prune_prune_options, mode, TEXT),
    OPTION(prune_prune_options, device, TEXT),
    OPTION(prune_prune_options, data, DATASET),
    OPTION(prune_call_options, validate, VALUE),
    OPTION(prune_call_options, schedule, VALUE),
    {.name = "recover", .kind = OPTION_TABLE, .offset = offsetof(prune_call_options, recover), .nested = &pl_recover_set},
    {.name = "train", .kind = OPTION_TABLE, .offset = offsetof(prune_call_options, train), .nested = &pl_train_set},
    {.name = "guard", .kind = OPTION_TABLE, .offset = offsetof(prune_call_options, guard), .nested = &pl_guard_set},
    OPTION_LIST("scope", prune_prune_options, scope, scope_count, TEXTS),
    OPTION_LIST("ignore", prune_prune_options, ignore, ignore_count, TEXTS),
    OPTION(prune_prune_options, batch_size, COUNT),
    OPTION(prune_prune_options, seed, SEED),
    OPTION(prune_prune_options, output, TEXT),
    {.name = "target", .kind = OPTION_TABLE, .offset = offsetof(prune_call_options, target), .nested = &pl_target_set},
    OPTION(prune_prune_options, max_fraction, FRACTION),
    OPTION(prune_prune_options, round_to, COUNT),
    OPTION(prune_prune_options, isomorphic, FLAG),
    OPTION(prune_prune_options, width, FLAG),
    OPTION(prune_prune_options, reduce, TEXT),
    OPTION(prune_prune_options, normalize, TEXT),
    OPTION(prune_prune_options, benchmark, FLAG),
    OPTION(prune_prune_options, reestimate, FLAG),
    OPTION(prune_call_options, on_step, FUNCTION),
    OPTION(prune_call_options, verbose, FLAG),
};
SET(pl_prune_set, "Model:prune", prune_call_options, sizeof(prune_prune_options), prune, NULL);

static const option significance[] = {
    OPTION(significance_call_options, criterion, VALUE),
    OPTION(prune_significance_options, data, DATASET),
    OPTION(prune_significance_options, batch_size, COUNT),
    OPTION(prune_significance_options, seed, SEED),
    OPTION(prune_significance_options, output, TEXT),
    OPTION_LIST("scope", prune_significance_options, scope, scope_count, TEXTS),
    OPTION_LIST("ignore", prune_significance_options, ignore, ignore_count, TEXTS),
};
SET(pl_significance_set, "Model:significance", significance_call_options, sizeof(prune_significance_options),
    significance, NULL);

static const option sensitivity[] = {
    OPTION(prune_sensitivity_options, data, DATASET),
    OPTION_LIST("amounts", prune_sensitivity_options, amounts, amount_count, NUMBERS),
    OPTION(sensitivity_call_options, metric, VALUE),
    OPTION(prune_sensitivity_options, lower_is_better, FLAG),
    OPTION(prune_sensitivity_options, max_drop, NUMBER),
    OPTION(prune_sensitivity_options, criterion, TEXT),
    OPTION(sensitivity_call_options, granularity, VALUE),
    OPTION_LIST("scope", prune_sensitivity_options, scope, scope_count, TEXTS),
    OPTION_LIST("ignore", prune_sensitivity_options, ignore, ignore_count, TEXTS),
    OPTION(prune_sensitivity_options, batch_size, COUNT),
    OPTION(prune_sensitivity_options, seed, SEED),
    OPTION(prune_sensitivity_options, output, TEXT),
    OPTION(sensitivity_call_options, on_step, FUNCTION),
    OPTION(sensitivity_call_options, verbose, FLAG),
};
SET(pl_sensitivity_set, "Model:sensitivity", sensitivity_call_options, sizeof(prune_sensitivity_options), sensitivity,
    NULL);

static const option ensemble[] = {
    {.name = "models", .kind = OPTION_VALUE, .required = true, .offset = offsetof(ensemble_call_options, models)},
    OPTION(prune_ensemble_options, method, TEXT),
    OPTION(prune_ensemble_options, data, DATASET),
    OPTION(prune_ensemble_options, epochs, COUNT),
    OPTION(prune_ensemble_options, seed, SEED),
};
SET(pl_ensemble_set, "prune.ensemble", ensemble_call_options, sizeof(prune_ensemble_options), ensemble, NULL);

static const option search[] = {
    {.name = "model", .kind = OPTION_VALUE, .required = true, .offset = offsetof(search_call_options, model)},
    OPTION_NEEDED(prune_search_options, data, DATASET),
    OPTION(prune_search_options, calibration, DATASET),
    OPTION(prune_search_options, objective, TEXT),
    OPTION(search_call_options, metric, VALUE),
    OPTION(prune_search_options, lower_is_better, FLAG),
    OPTION(prune_search_options, max_drop, NUMBER),
    OPTION(prune_search_options, budget, POSITIVE),
    OPTION(prune_search_options, seed, SEED),
    OPTION(prune_search_options, output, TEXT),
    OPTION(search_call_options, on_step, FUNCTION),
    OPTION(search_call_options, verbose, FLAG),
};
SET(pl_search_set, "prune.search", search_call_options, sizeof(prune_search_options), search, NULL);

static const option quantize[] = {
    OPTION(prune_quantize_options, scheme, TEXT),
    OPTION(prune_quantize_options, bits, COUNT),
    OPTION_AS("per_channel", prune_quantize_options, per_tensor, NOT),
    OPTION(prune_quantize_options, symmetric, FLAG),
    OPTION(prune_quantize_options, block_size, COUNT),
    OPTION(prune_quantize_options, percentile, POSITIVE),
    OPTION(prune_quantize_options, group_size, COUNT),
    OPTION(prune_quantize_options, fisher, FLAG),
    OPTION(prune_quantize_options, equalize, FLAG),
    OPTION(prune_quantize_options, bias_correction, FLAG),
    OPTION(prune_quantize_options, mixed, FLAG),
    OPTION(prune_quantize_options, qat, FLAG),
    OPTION(prune_quantize_options, rounding, TEXT),
    OPTION(prune_quantize_options, smooth, POSITIVE),
    OPTION(prune_quantize_options, learn_scales, FLAG),
    OPTION(prune_quantize_options, keep_faster, FLAG),
    OPTION(prune_quantize_options, bytes, POSITIVE),
    OPTION(prune_quantize_options, calibration, DATASET),
    OPTION(prune_quantize_options, calibrator, TEXT),
    OPTION(prune_quantize_options, format, TEXT),
    OPTION(prune_quantize_options, validate, DATASET),
    {.name = "guard", .kind = OPTION_TABLE, .offset = offsetof(quantize_call_options, guard), .nested = &pl_guard_set},
    OPTION_LIST("ignore", prune_quantize_options, ignore, ignore_count, TEXTS),
    OPTION(prune_quantize_options, batch_size, COUNT),
};
SET(pl_quantize_set, "Model:quantize", quantize_call_options, sizeof(prune_quantize_options), quantize, NULL);

static const option evaluate[] = {
    OPTION_LIST("metrics", prune_evaluate_options, metrics, metric_count, TEXTS),
    OPTION(prune_evaluate_options, batch_size, COUNT),
    OPTION(prune_evaluate_options, loss, TEXT),
    OPTION(prune_evaluate_options, output, TEXT),
};
SET(pl_evaluate_set, "Model:evaluate", prune_evaluate_options, sizeof(prune_evaluate_options), evaluate, NULL);

static const option benchmark[] = {
    OPTION(prune_benchmark_options, batch_size, COUNT),
    OPTION(prune_benchmark_options, threads, COUNT),
    OPTION(prune_benchmark_options, runs, COUNT),
    OPTION(prune_benchmark_options, warmup, COUNT),
    OPTION(prune_benchmark_options, steps, FLAG),
};
SET(pl_benchmark_set, "Model:benchmark", prune_benchmark_options, sizeof(prune_benchmark_options), benchmark, NULL);

static const option summary[] = {
    OPTION(summary_options, width, COUNT),
    OPTION(summary_options, color, VALUE),
    OPTION(summary_options, file, VALUE),
};
SET(pl_summary_set, "Model:summary", summary_options, 0, summary, NULL);

static const option text[] = {OPTION(text_options, width, COUNT), OPTION(text_options, color, VALUE)};
SET(pl_text_set, "Report:to_text", text_options, 0, text, NULL);

static const option load[] = {OPTION(prune_load_options, copy, FLAG)};
SET(pl_load_set, "prune.load", prune_load_options, sizeof(prune_load_options), load, NULL);

static const option zoo[] = {
    OPTION(prune_zoo_options, classes, COUNT),
    OPTION_LIST("input", prune_zoo_options, input, input_rank, EXTENTS),
    OPTION_LIST("hidden", prune_zoo_options, hidden, hidden_count, EXTENTS),
    OPTION(prune_zoo_options, activation, TEXT),
    OPTION(prune_zoo_options, seed, SEED),
    OPTION(prune_zoo_options, width, NUMBER),
    OPTION(prune_zoo_options, stem, TEXT),
    OPTION(prune_zoo_options, depth, COUNT),
    OPTION(prune_zoo_options, patch, COUNT),
    OPTION(prune_zoo_options, heads, COUNT),
};
SET(pl_zoo_set, "prune.zoo", prune_zoo_options, sizeof(prune_zoo_options), zoo, NULL);

static const option loss[] = {
    OPTION(prune_loss_options, from_logits, FLAG),
    OPTION(prune_loss_options, label_smoothing, FRACTION),
    OPTION_LIST("class_weights", prune_loss_options, class_weights, class_weight_count, NUMBERS),
    OPTION(prune_loss_options, delta, POSITIVE),
};
SET(pl_loss_set, "prune.losses", prune_loss_options, sizeof(prune_loss_options), loss, NULL);

static const option split[] = {OPTION_NEEDED(split_options, test, FRACTION), OPTION(split_options, seed, SEED)};
SET(pl_split_set, "Dataset:split", split_options, 0, split, NULL);

static const option idx[] = {OPTION_NEEDED(idx_options, images, TEXT), OPTION_NEEDED(idx_options, labels, TEXT)};
SET(pl_idx_set, "prune.data.idx", idx_options, 0, idx, NULL);

static const option npz[] = {OPTION(npz_options, x, VALUE), OPTION(npz_options, y, TEXT)};
SET(pl_npz_set, "prune.data.npz", npz_options, 0, npz, NULL);

static const option csv[] = {OPTION(csv_options, label, VALUE)};
SET(pl_csv_set, "prune.data.csv", csv_options, 0, csv, NULL);

static const option normalize[] = {
    {.name = "mean", .kind = OPTION_VALUE, .required = true, .offset = offsetof(normalize_options, mean)},
    {.name = "std", .kind = OPTION_VALUE, .required = true, .offset = offsetof(normalize_options, std)},
};
SET(pl_normalize_set, "Dataset:normalize", normalize_options, 0, normalize, NULL);

static const option_set *const sets[] = {
    &pl_fit_set, &pl_recover_set, &pl_train_set, &pl_prune_set, &pl_target_set, &pl_guard_set, &pl_schedule_set, &pl_significance_set,
    &pl_sensitivity_set, &pl_ensemble_set, &pl_search_set,
    &pl_quantize_set, &pl_evaluate_set, &pl_benchmark_set, &pl_summary_set, &pl_text_set, &pl_load_set, &pl_zoo_set,
    &pl_split_set, &pl_idx_set, &pl_npz_set, &pl_csv_set, &pl_normalize_set, &pl_group_set, &pl_loss_set, &pl_regularizer_set, &pl_augment_set,
};

void pl_push_option_sets(lua_State *L) {
  lua_createtable(L, 0, OPTION_COUNT_OF(sets));
  for (size_t i = 0; i < OPTION_COUNT_OF(sets); i++) {
    lua_newtable(L);
    for (const option_set *set = sets[i]; set; set = set->base) {
      for (size_t j = 0; j < set->count; j++) {
        lua_pushboolean(L, set->options[j].required);
        lua_setfield(L, -2, set->options[j].name);
      }
    }
    lua_setfield(L, -2, sets[i]->name);
  }
}
