/* The named arguments of every function. Made by scripts/generate from Sources/Options. */
#include "binding_options.h"

static const option images_options_[] = {
    {.name = "path", .kind = OPTION_TEXT, .required = true, .offset = offsetof(prune_images_options, path)},
    {.name = "size", .kind = OPTION_VALUE, .required = true, .offset = offsetof(images_options, size_value)},
    {.name = "resize", .kind = OPTION_TEXT, .offset = offsetof(prune_images_options, resize)},
    {.name = "shorter", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_images_options, shorter)},
    {.name = "color", .kind = OPTION_TEXT, .offset = offsetof(prune_images_options, color)},
    {.name = "mean", .kind = OPTION_NUMBERS, .offset = offsetof(prune_images_options, mean), .extra = offsetof(prune_images_options, mean_count)},
    {.name = "std", .kind = OPTION_NUMBERS, .offset = offsetof(prune_images_options, std), .extra = offsetof(prune_images_options, std_count)},
    {.name = "scale", .kind = OPTION_POSITIVE, .offset = offsetof(prune_images_options, scale)},
    {.name = "layout", .kind = OPTION_TEXT, .offset = offsetof(prune_images_options, layout)},
    {.name = "strict", .kind = OPTION_FLAG, .offset = offsetof(prune_images_options, strict)},
    {.name = "check", .kind = OPTION_FLAG, .offset = offsetof(prune_images_options, check)},
};
static const prune_images_options images_initial = PRUNE_IMAGES_OPTIONS_INIT;
const option_set pl_images_set = {.name = "prune.data.images", .options = images_options_, .count = OPTION_COUNT_OF(images_options_),
    .size = sizeof(images_options), .initial = &images_initial, .struct_size = sizeof(prune_images_options)};

static const option wav_options_[] = {
    {.name = "path", .kind = OPTION_TEXT, .required = true, .offset = offsetof(prune_wav_options, path)},
    {.name = "window", .kind = OPTION_COUNT, .required = true, .least = 1, .offset = offsetof(prune_wav_options, window)},
    {.name = "rate", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_wav_options, rate)},
    {.name = "hop", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_wav_options, hop)},
    {.name = "strict", .kind = OPTION_FLAG, .offset = offsetof(prune_wav_options, strict)},
};
static const prune_wav_options wav_initial = PRUNE_WAV_OPTIONS_INIT;
const option_set pl_wav_set = {.name = "prune.data.wav", .options = wav_options_, .count = OPTION_COUNT_OF(wav_options_),
    .size = sizeof(prune_wav_options), .initial = &wav_initial, .struct_size = sizeof(prune_wav_options)};

static const option load_options_[] = {
    {.name = "copy", .kind = OPTION_FLAG, .offset = offsetof(prune_load_options, copy)},
    {.name = "shapes", .kind = OPTION_SHAPES, .offset = offsetof(prune_load_options, shapes), .extra = offsetof(prune_load_options, shape_count)},
};
static const prune_load_options load_initial = PRUNE_LOAD_OPTIONS_INIT;
const option_set pl_load_set = {.name = "prune.load", .options = load_options_, .count = OPTION_COUNT_OF(load_options_),
    .size = sizeof(prune_load_options), .initial = &load_initial, .struct_size = sizeof(prune_load_options)};

static const option weights_options_[] = {
    {.name = "map", .kind = OPTION_VALUE, .offset = offsetof(weights_options, map)},
    {.name = "strict", .kind = OPTION_FLAG, .offset = offsetof(prune_weights_options, strict)},
};
static const prune_weights_options weights_initial = PRUNE_WEIGHTS_OPTIONS_INIT;
const option_set pl_weights_set = {.name = "Model:load_weights", .options = weights_options_, .count = OPTION_COUNT_OF(weights_options_),
    .size = sizeof(weights_options), .initial = &weights_initial, .struct_size = sizeof(prune_weights_options)};

static const option stats_options_[] = {
    {.name = "shapes", .kind = OPTION_SHAPES, .offset = offsetof(prune_stats_options, shapes), .extra = offsetof(prune_stats_options, shape_count)},
};
static const prune_stats_options stats_initial = PRUNE_STATS_OPTIONS_INIT;
const option_set pl_stats_set = {.name = "Model:stats", .options = stats_options_, .count = OPTION_COUNT_OF(stats_options_),
    .size = sizeof(prune_stats_options), .initial = &stats_initial, .struct_size = sizeof(prune_stats_options)};

static const option zoo_options_[] = {
    {.name = "classes", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_zoo_options, classes)},
    {.name = "input", .kind = OPTION_EXTENTS, .offset = offsetof(prune_zoo_options, input), .extra = offsetof(prune_zoo_options, input_rank)},
    {.name = "hidden", .kind = OPTION_EXTENTS, .offset = offsetof(prune_zoo_options, hidden), .extra = offsetof(prune_zoo_options, hidden_count)},
    {.name = "activation", .kind = OPTION_TEXT, .offset = offsetof(prune_zoo_options, activation)},
    {.name = "seed", .kind = OPTION_SEED, .offset = offsetof(prune_zoo_options, seed)},
    {.name = "width", .kind = OPTION_POSITIVE, .offset = offsetof(prune_zoo_options, width)},
    {.name = "stem", .kind = OPTION_TEXT, .offset = offsetof(prune_zoo_options, stem)},
    {.name = "depth", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_zoo_options, depth)},
    {.name = "patch", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_zoo_options, patch)},
    {.name = "heads", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_zoo_options, heads)},
};
static const prune_zoo_options zoo_initial = PRUNE_ZOO_OPTIONS_INIT;
const option_set pl_zoo_set = {.name = "prune.zoo", .options = zoo_options_, .count = OPTION_COUNT_OF(zoo_options_),
    .size = sizeof(prune_zoo_options), .initial = &zoo_initial, .struct_size = sizeof(prune_zoo_options)};

static const option group_options_[] = {
    {.name = "parameters", .kind = OPTION_TEXTS, .offset = offsetof(prune_parameter_group, parameters), .extra = offsetof(prune_parameter_group, parameter_count)},
    {.name = "lr", .kind = OPTION_POSITIVE, .offset = offsetof(prune_parameter_group, lr)},
    {.name = "weight_decay", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_parameter_group, weight_decay)},
};
static const prune_parameter_group group_initial = PRUNE_PARAMETER_GROUP_INIT;
const option_set pl_group_set = {.name = "Model:fit groups", .options = group_options_, .count = OPTION_COUNT_OF(group_options_),
    .size = sizeof(prune_parameter_group), .initial = &group_initial, .struct_size = sizeof(prune_parameter_group)};

static const option augment_options_[] = {
    {.name = "flip", .kind = OPTION_FLAG, .offset = offsetof(prune_augmentation, flip)},
    {.name = "crop", .kind = OPTION_COUNT, .least = 0, .offset = offsetof(prune_augmentation, crop)},
    {.name = "cutout", .kind = OPTION_COUNT, .least = 0, .offset = offsetof(prune_augmentation, cutout)},
    {.name = "mixup", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_augmentation, mixup)},
    {.name = "cutmix", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_augmentation, cutmix)},
};
static const prune_augmentation augment_initial = PRUNE_AUGMENTATION_INIT;
const option_set pl_augment_set = {.name = "Model:fit augment", .options = augment_options_, .count = OPTION_COUNT_OF(augment_options_),
    .size = sizeof(prune_augmentation), .initial = &augment_initial, .struct_size = sizeof(prune_augmentation)};

static const option regularizer_options_[] = {
    {.name = "kind", .kind = OPTION_TEXT, .required = true, .offset = offsetof(prune_regularizer, kind)},
    {.name = "strength", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_regularizer, strength)},
    {.name = "growth", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_regularizer, growth)},
    {.name = "limit", .kind = OPTION_POSITIVE, .offset = offsetof(prune_regularizer, limit)},
    {.name = "interval", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_regularizer, interval)},
    {.name = "scope", .kind = OPTION_TEXTS, .offset = offsetof(prune_regularizer, scope), .extra = offsetof(prune_regularizer, scope_count)},
};
static const prune_regularizer regularizer_initial = PRUNE_REGULARIZER_INIT;
const option_set pl_regularizer_set = {.name = "Model:fit regularizer", .options = regularizer_options_, .count = OPTION_COUNT_OF(regularizer_options_),
    .size = sizeof(prune_regularizer), .initial = &regularizer_initial, .struct_size = sizeof(prune_regularizer)};

static const option fit_options_[] = {
    {.name = "data", .kind = OPTION_DATASET, .required = true, .offset = offsetof(fit_options, data)},
    {.name = "epochs", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_fit_options, epochs)},
    {.name = "batch_size", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_fit_options, batch_size)},
    {.name = "shuffle", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, shuffle)},
    {.name = "optimizer", .kind = OPTION_TEXT, .offset = offsetof(prune_fit_options, optimizer)},
    {.name = "lr", .kind = OPTION_POSITIVE, .offset = offsetof(prune_fit_options, lr)},
    {.name = "momentum", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, momentum)},
    {.name = "nesterov", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, nesterov)},
    {.name = "beta1", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, beta1)},
    {.name = "beta2", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, beta2)},
    {.name = "epsilon", .kind = OPTION_POSITIVE, .offset = offsetof(prune_fit_options, epsilon)},
    {.name = "weight_decay", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_fit_options, weight_decay)},
    {.name = "rho", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, rho)},
    {.name = "clip_norm", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_fit_options, clip_norm)},
    {.name = "clip_value", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_fit_options, clip_value)},
    {.name = "groups", .kind = OPTION_TABLES, .offset = offsetof(prune_fit_options, groups), .extra = offsetof(prune_fit_options, group_count), .nested = &pl_group_set},
    {.name = "loss", .kind = OPTION_VALUE, .offset = offsetof(fit_options, loss)},
    {.name = "output", .kind = OPTION_TEXT, .offset = offsetof(prune_fit_options, output)},
    {.name = "label_smoothing", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, label_smoothing)},
    {.name = "class_weights", .kind = OPTION_NUMBERS, .offset = offsetof(prune_fit_options, class_weights), .extra = offsetof(prune_fit_options, class_weight_count)},
    {.name = "delta", .kind = OPTION_POSITIVE, .offset = offsetof(prune_fit_options, delta)},
    {.name = "from_probabilities", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, from_probabilities)},
    {.name = "schedule", .kind = OPTION_TEXT, .offset = offsetof(prune_fit_options, schedule)},
    {.name = "warmup", .kind = OPTION_COUNT, .least = 0, .offset = offsetof(prune_fit_options, warmup)},
    {.name = "step_epochs", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_fit_options, step_epochs)},
    {.name = "gamma", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, gamma)},
    {.name = "patience", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_fit_options, patience)},
    {.name = "validation", .kind = OPTION_DATASET, .offset = offsetof(prune_fit_options, validation)},
    {.name = "validation_split", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, validation_split)},
    {.name = "early_stopping", .kind = OPTION_COUNT, .least = 0, .offset = offsetof(prune_fit_options, early_stopping)},
    {.name = "min_delta", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_fit_options, min_delta)},
    {.name = "monitor", .kind = OPTION_TEXT, .offset = offsetof(prune_fit_options, monitor)},
    {.name = "restore_best", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, restore_best)},
    {.name = "checkpoint", .kind = OPTION_TEXT, .offset = offsetof(prune_fit_options, checkpoint)},
    {.name = "checkpoint_epochs", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_fit_options, checkpoint_epochs)},
    {.name = "resume", .kind = OPTION_VALUE, .offset = offsetof(fit_options, resume)},
    {.name = "regularizer", .kind = OPTION_TABLES, .offset = offsetof(prune_fit_options, regularizers), .extra = offsetof(prune_fit_options, regularizer_count), .nested = &pl_regularizer_set},
    {.name = "dropout", .kind = OPTION_VALUE, .offset = offsetof(fit_options, dropout)},
    {.name = "teacher", .kind = OPTION_MODEL, .offset = offsetof(prune_fit_options, teacher)},
    {.name = "temperature", .kind = OPTION_POSITIVE, .offset = offsetof(prune_fit_options, temperature)},
    {.name = "alpha", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, alpha)},
    {.name = "features", .kind = OPTION_TEXTS, .offset = offsetof(prune_fit_options, features), .extra = offsetof(prune_fit_options, feature_count)},
    {.name = "teacher_features", .kind = OPTION_TEXTS, .offset = offsetof(prune_fit_options, teacher_features), .extra = offsetof(prune_fit_options, teacher_feature_count)},
    {.name = "feature_weight", .kind = OPTION_POSITIVE, .offset = offsetof(prune_fit_options, feature_weight)},
    {.name = "checkpointing", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, checkpointing)},
    {.name = "palettes", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, palettes)},
    {.name = "keep_zeros", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, keep_zeros)},
    {.name = "batch_norm", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, batch_norm)},
    {.name = "augment", .kind = OPTION_TABLE, .offset = offsetof(prune_fit_options, augment), .nested = &pl_augment_set},
    {.name = "seed", .kind = OPTION_SEED, .offset = offsetof(prune_fit_options, seed)},
    {.name = "frozen", .kind = OPTION_TEXTS, .offset = offsetof(prune_fit_options, frozen), .extra = offsetof(prune_fit_options, frozen_count)},
    {.name = "on_epoch", .kind = OPTION_FUNCTION, .offset = offsetof(fit_options, on_epoch)},
    {.name = "on_batch", .kind = OPTION_FUNCTION, .offset = offsetof(fit_options, on_batch)},
    {.name = "verbose", .kind = OPTION_FLAG, .offset = offsetof(fit_options, verbose)},
    {.name = "deterministic", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, deterministic)},
};
static const prune_fit_options fit_initial = PRUNE_FIT_OPTIONS_INIT;
const option_set pl_fit_set = {.name = "Model:fit", .options = fit_options_, .count = OPTION_COUNT_OF(fit_options_),
    .size = sizeof(fit_options), .initial = &fit_initial, .struct_size = sizeof(prune_fit_options)};

static const option recover_options_[] = {
    {.name = "epochs", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_fit_options, epochs)},
    {.name = "batch_size", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_fit_options, batch_size)},
    {.name = "shuffle", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, shuffle)},
    {.name = "optimizer", .kind = OPTION_TEXT, .offset = offsetof(prune_fit_options, optimizer)},
    {.name = "lr", .kind = OPTION_POSITIVE, .offset = offsetof(prune_fit_options, lr)},
    {.name = "momentum", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, momentum)},
    {.name = "nesterov", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, nesterov)},
    {.name = "beta1", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, beta1)},
    {.name = "beta2", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, beta2)},
    {.name = "epsilon", .kind = OPTION_POSITIVE, .offset = offsetof(prune_fit_options, epsilon)},
    {.name = "weight_decay", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_fit_options, weight_decay)},
    {.name = "rho", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, rho)},
    {.name = "clip_norm", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_fit_options, clip_norm)},
    {.name = "clip_value", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_fit_options, clip_value)},
    {.name = "groups", .kind = OPTION_TABLES, .offset = offsetof(prune_fit_options, groups), .extra = offsetof(prune_fit_options, group_count), .nested = &pl_group_set},
    {.name = "loss", .kind = OPTION_VALUE, .offset = offsetof(fit_options, loss)},
    {.name = "output", .kind = OPTION_TEXT, .offset = offsetof(prune_fit_options, output)},
    {.name = "label_smoothing", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, label_smoothing)},
    {.name = "class_weights", .kind = OPTION_NUMBERS, .offset = offsetof(prune_fit_options, class_weights), .extra = offsetof(prune_fit_options, class_weight_count)},
    {.name = "delta", .kind = OPTION_POSITIVE, .offset = offsetof(prune_fit_options, delta)},
    {.name = "from_probabilities", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, from_probabilities)},
    {.name = "schedule", .kind = OPTION_TEXT, .offset = offsetof(prune_fit_options, schedule)},
    {.name = "warmup", .kind = OPTION_COUNT, .least = 0, .offset = offsetof(prune_fit_options, warmup)},
    {.name = "step_epochs", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_fit_options, step_epochs)},
    {.name = "gamma", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, gamma)},
    {.name = "patience", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_fit_options, patience)},
    {.name = "validation", .kind = OPTION_DATASET, .offset = offsetof(prune_fit_options, validation)},
    {.name = "validation_split", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, validation_split)},
    {.name = "early_stopping", .kind = OPTION_COUNT, .least = 0, .offset = offsetof(prune_fit_options, early_stopping)},
    {.name = "min_delta", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_fit_options, min_delta)},
    {.name = "monitor", .kind = OPTION_TEXT, .offset = offsetof(prune_fit_options, monitor)},
    {.name = "restore_best", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, restore_best)},
    {.name = "checkpoint", .kind = OPTION_TEXT, .offset = offsetof(prune_fit_options, checkpoint)},
    {.name = "checkpoint_epochs", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_fit_options, checkpoint_epochs)},
    {.name = "resume", .kind = OPTION_VALUE, .offset = offsetof(fit_options, resume)},
    {.name = "regularizer", .kind = OPTION_TABLES, .offset = offsetof(prune_fit_options, regularizers), .extra = offsetof(prune_fit_options, regularizer_count), .nested = &pl_regularizer_set},
    {.name = "dropout", .kind = OPTION_VALUE, .offset = offsetof(fit_options, dropout)},
    {.name = "teacher", .kind = OPTION_MODEL, .offset = offsetof(prune_fit_options, teacher)},
    {.name = "temperature", .kind = OPTION_POSITIVE, .offset = offsetof(prune_fit_options, temperature)},
    {.name = "alpha", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, alpha)},
    {.name = "features", .kind = OPTION_TEXTS, .offset = offsetof(prune_fit_options, features), .extra = offsetof(prune_fit_options, feature_count)},
    {.name = "teacher_features", .kind = OPTION_TEXTS, .offset = offsetof(prune_fit_options, teacher_features), .extra = offsetof(prune_fit_options, teacher_feature_count)},
    {.name = "feature_weight", .kind = OPTION_POSITIVE, .offset = offsetof(prune_fit_options, feature_weight)},
    {.name = "checkpointing", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, checkpointing)},
    {.name = "palettes", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, palettes)},
    {.name = "keep_zeros", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, keep_zeros)},
    {.name = "batch_norm", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, batch_norm)},
    {.name = "augment", .kind = OPTION_TABLE, .offset = offsetof(prune_fit_options, augment), .nested = &pl_augment_set},
    {.name = "seed", .kind = OPTION_SEED, .offset = offsetof(prune_fit_options, seed)},
    {.name = "frozen", .kind = OPTION_TEXTS, .offset = offsetof(prune_fit_options, frozen), .extra = offsetof(prune_fit_options, frozen_count)},
    {.name = "on_epoch", .kind = OPTION_FUNCTION, .offset = offsetof(fit_options, on_epoch)},
    {.name = "on_batch", .kind = OPTION_FUNCTION, .offset = offsetof(fit_options, on_batch)},
    {.name = "verbose", .kind = OPTION_FLAG, .offset = offsetof(fit_options, verbose)},
    {.name = "deterministic", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, deterministic)},
    {.name = "data", .kind = OPTION_DATASET, .offset = offsetof(fit_options, data)},
};
static const prune_fit_options recover_initial = PRUNE_FIT_OPTIONS_INIT;
const option_set pl_recover_set = {.name = "Model:prune recover", .options = recover_options_, .count = OPTION_COUNT_OF(recover_options_),
    .size = sizeof(fit_options), .initial = &recover_initial, .struct_size = sizeof(prune_fit_options)};

static const option train_options_[] = {
    {.name = "epochs", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_fit_options, epochs)},
    {.name = "batch_size", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_fit_options, batch_size)},
    {.name = "shuffle", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, shuffle)},
    {.name = "optimizer", .kind = OPTION_TEXT, .offset = offsetof(prune_fit_options, optimizer)},
    {.name = "lr", .kind = OPTION_POSITIVE, .offset = offsetof(prune_fit_options, lr)},
    {.name = "momentum", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, momentum)},
    {.name = "nesterov", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, nesterov)},
    {.name = "beta1", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, beta1)},
    {.name = "beta2", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, beta2)},
    {.name = "epsilon", .kind = OPTION_POSITIVE, .offset = offsetof(prune_fit_options, epsilon)},
    {.name = "weight_decay", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_fit_options, weight_decay)},
    {.name = "rho", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, rho)},
    {.name = "clip_norm", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_fit_options, clip_norm)},
    {.name = "clip_value", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_fit_options, clip_value)},
    {.name = "groups", .kind = OPTION_TABLES, .offset = offsetof(prune_fit_options, groups), .extra = offsetof(prune_fit_options, group_count), .nested = &pl_group_set},
    {.name = "loss", .kind = OPTION_VALUE, .offset = offsetof(fit_options, loss)},
    {.name = "output", .kind = OPTION_TEXT, .offset = offsetof(prune_fit_options, output)},
    {.name = "label_smoothing", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, label_smoothing)},
    {.name = "class_weights", .kind = OPTION_NUMBERS, .offset = offsetof(prune_fit_options, class_weights), .extra = offsetof(prune_fit_options, class_weight_count)},
    {.name = "delta", .kind = OPTION_POSITIVE, .offset = offsetof(prune_fit_options, delta)},
    {.name = "from_probabilities", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, from_probabilities)},
    {.name = "schedule", .kind = OPTION_TEXT, .offset = offsetof(prune_fit_options, schedule)},
    {.name = "warmup", .kind = OPTION_COUNT, .least = 0, .offset = offsetof(prune_fit_options, warmup)},
    {.name = "step_epochs", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_fit_options, step_epochs)},
    {.name = "gamma", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, gamma)},
    {.name = "patience", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_fit_options, patience)},
    {.name = "validation", .kind = OPTION_DATASET, .offset = offsetof(prune_fit_options, validation)},
    {.name = "validation_split", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, validation_split)},
    {.name = "early_stopping", .kind = OPTION_COUNT, .least = 0, .offset = offsetof(prune_fit_options, early_stopping)},
    {.name = "min_delta", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_fit_options, min_delta)},
    {.name = "monitor", .kind = OPTION_TEXT, .offset = offsetof(prune_fit_options, monitor)},
    {.name = "restore_best", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, restore_best)},
    {.name = "checkpoint", .kind = OPTION_TEXT, .offset = offsetof(prune_fit_options, checkpoint)},
    {.name = "checkpoint_epochs", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_fit_options, checkpoint_epochs)},
    {.name = "resume", .kind = OPTION_VALUE, .offset = offsetof(fit_options, resume)},
    {.name = "regularizer", .kind = OPTION_TABLES, .offset = offsetof(prune_fit_options, regularizers), .extra = offsetof(prune_fit_options, regularizer_count), .nested = &pl_regularizer_set},
    {.name = "dropout", .kind = OPTION_VALUE, .offset = offsetof(fit_options, dropout)},
    {.name = "teacher", .kind = OPTION_MODEL, .offset = offsetof(prune_fit_options, teacher)},
    {.name = "temperature", .kind = OPTION_POSITIVE, .offset = offsetof(prune_fit_options, temperature)},
    {.name = "alpha", .kind = OPTION_FRACTION, .offset = offsetof(prune_fit_options, alpha)},
    {.name = "features", .kind = OPTION_TEXTS, .offset = offsetof(prune_fit_options, features), .extra = offsetof(prune_fit_options, feature_count)},
    {.name = "teacher_features", .kind = OPTION_TEXTS, .offset = offsetof(prune_fit_options, teacher_features), .extra = offsetof(prune_fit_options, teacher_feature_count)},
    {.name = "feature_weight", .kind = OPTION_POSITIVE, .offset = offsetof(prune_fit_options, feature_weight)},
    {.name = "checkpointing", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, checkpointing)},
    {.name = "palettes", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, palettes)},
    {.name = "keep_zeros", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, keep_zeros)},
    {.name = "batch_norm", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, batch_norm)},
    {.name = "augment", .kind = OPTION_TABLE, .offset = offsetof(prune_fit_options, augment), .nested = &pl_augment_set},
    {.name = "seed", .kind = OPTION_SEED, .offset = offsetof(prune_fit_options, seed)},
    {.name = "frozen", .kind = OPTION_TEXTS, .offset = offsetof(prune_fit_options, frozen), .extra = offsetof(prune_fit_options, frozen_count)},
    {.name = "on_epoch", .kind = OPTION_FUNCTION, .offset = offsetof(fit_options, on_epoch)},
    {.name = "on_batch", .kind = OPTION_FUNCTION, .offset = offsetof(fit_options, on_batch)},
    {.name = "verbose", .kind = OPTION_FLAG, .offset = offsetof(fit_options, verbose)},
    {.name = "deterministic", .kind = OPTION_FLAG, .offset = offsetof(prune_fit_options, deterministic)},
    {.name = "data", .kind = OPTION_DATASET, .offset = offsetof(fit_options, data)},
};
static const prune_fit_options train_initial = PRUNE_FIT_OPTIONS_INIT;
const option_set pl_train_set = {.name = "Model:prune train", .options = train_options_, .count = OPTION_COUNT_OF(train_options_),
    .size = sizeof(fit_options), .initial = &train_initial, .struct_size = sizeof(prune_fit_options)};

static const option evaluate_options_[] = {
    {.name = "metrics", .kind = OPTION_TEXTS, .offset = offsetof(prune_evaluate_options, metrics), .extra = offsetof(prune_evaluate_options, metric_count)},
    {.name = "batch_size", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_evaluate_options, batch_size)},
    {.name = "loss", .kind = OPTION_TEXT, .offset = offsetof(prune_evaluate_options, loss)},
    {.name = "output", .kind = OPTION_TEXT, .offset = offsetof(prune_evaluate_options, output)},
};
static const prune_evaluate_options evaluate_initial = PRUNE_EVALUATE_OPTIONS_INIT;
const option_set pl_evaluate_set = {.name = "Model:evaluate", .options = evaluate_options_, .count = OPTION_COUNT_OF(evaluate_options_),
    .size = sizeof(prune_evaluate_options), .initial = &evaluate_initial, .struct_size = sizeof(prune_evaluate_options)};

static const option benchmark_options_[] = {
    {.name = "batch_size", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_benchmark_options, batch_size)},
    {.name = "threads", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_benchmark_options, threads)},
    {.name = "runs", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_benchmark_options, runs)},
    {.name = "warmup", .kind = OPTION_COUNT, .least = 0, .offset = offsetof(prune_benchmark_options, warmup)},
    {.name = "shapes", .kind = OPTION_SHAPES, .offset = offsetof(prune_benchmark_options, shapes), .extra = offsetof(prune_benchmark_options, shape_count)},
    {.name = "steps", .kind = OPTION_FLAG, .offset = offsetof(prune_benchmark_options, steps)},
};
static const prune_benchmark_options benchmark_initial = PRUNE_BENCHMARK_OPTIONS_INIT;
const option_set pl_benchmark_set = {.name = "Model:benchmark", .options = benchmark_options_, .count = OPTION_COUNT_OF(benchmark_options_),
    .size = sizeof(prune_benchmark_options), .initial = &benchmark_initial, .struct_size = sizeof(prune_benchmark_options)};

static const option differences_options_[] = {
    {.name = "samples", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_differences_options, samples)},
};
static const prune_differences_options differences_initial = PRUNE_DIFFERENCES_OPTIONS_INIT;
const option_set pl_differences_set = {.name = "Model:differences", .options = differences_options_, .count = OPTION_COUNT_OF(differences_options_),
    .size = sizeof(prune_differences_options), .initial = &differences_initial, .struct_size = sizeof(prune_differences_options)};

static const option loss_options_[] = {
    {.name = "from_logits", .kind = OPTION_FLAG, .offset = offsetof(prune_loss_options, from_logits)},
    {.name = "label_smoothing", .kind = OPTION_FRACTION, .offset = offsetof(prune_loss_options, label_smoothing)},
    {.name = "class_weights", .kind = OPTION_NUMBERS, .offset = offsetof(prune_loss_options, class_weights), .extra = offsetof(prune_loss_options, class_weight_count)},
    {.name = "delta", .kind = OPTION_POSITIVE, .offset = offsetof(prune_loss_options, delta)},
};
static const prune_loss_options loss_initial = PRUNE_LOSS_OPTIONS_INIT;
const option_set pl_loss_set = {.name = "prune.losses", .options = loss_options_, .count = OPTION_COUNT_OF(loss_options_),
    .size = sizeof(prune_loss_options), .initial = &loss_initial, .struct_size = sizeof(prune_loss_options)};

static const option significance_options_[] = {
    {.name = "criterion", .kind = OPTION_VALUE, .offset = offsetof(significance_call_options, criterion)},
    {.name = "data", .kind = OPTION_DATASET, .offset = offsetof(prune_significance_options, data)},
    {.name = "batch_size", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_significance_options, batch_size)},
    {.name = "seed", .kind = OPTION_SEED, .offset = offsetof(prune_significance_options, seed)},
    {.name = "output", .kind = OPTION_TEXT, .offset = offsetof(prune_significance_options, output)},
    {.name = "scope", .kind = OPTION_TEXTS, .offset = offsetof(prune_significance_options, scope), .extra = offsetof(prune_significance_options, scope_count)},
    {.name = "ignore", .kind = OPTION_TEXTS, .offset = offsetof(prune_significance_options, ignore), .extra = offsetof(prune_significance_options, ignore_count)},
};
static const prune_significance_options significance_initial = PRUNE_SIGNIFICANCE_OPTIONS_INIT;
const option_set pl_significance_set = {.name = "Model:significance", .options = significance_options_, .count = OPTION_COUNT_OF(significance_options_),
    .size = sizeof(significance_call_options), .initial = &significance_initial, .struct_size = sizeof(prune_significance_options)};

static const option sensitivity_options_[] = {
    {.name = "data", .kind = OPTION_DATASET, .offset = offsetof(prune_sensitivity_options, data)},
    {.name = "amounts", .kind = OPTION_NUMBERS, .offset = offsetof(prune_sensitivity_options, amounts), .extra = offsetof(prune_sensitivity_options, amount_count)},
    {.name = "metric", .kind = OPTION_VALUE, .offset = offsetof(sensitivity_call_options, metric)},
    {.name = "lower_is_better", .kind = OPTION_FLAG, .offset = offsetof(prune_sensitivity_options, lower_is_better)},
    {.name = "max_drop", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_sensitivity_options, max_drop)},
    {.name = "criterion", .kind = OPTION_TEXT, .offset = offsetof(prune_sensitivity_options, criterion)},
    {.name = "granularity", .kind = OPTION_VALUE, .offset = offsetof(sensitivity_call_options, granularity)},
    {.name = "scope", .kind = OPTION_TEXTS, .offset = offsetof(prune_sensitivity_options, scope), .extra = offsetof(prune_sensitivity_options, scope_count)},
    {.name = "ignore", .kind = OPTION_TEXTS, .offset = offsetof(prune_sensitivity_options, ignore), .extra = offsetof(prune_sensitivity_options, ignore_count)},
    {.name = "batch_size", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_sensitivity_options, batch_size)},
    {.name = "seed", .kind = OPTION_SEED, .offset = offsetof(prune_sensitivity_options, seed)},
    {.name = "output", .kind = OPTION_TEXT, .offset = offsetof(prune_sensitivity_options, output)},
    {.name = "on_step", .kind = OPTION_FUNCTION, .offset = offsetof(sensitivity_call_options, on_step)},
    {.name = "verbose", .kind = OPTION_FLAG, .offset = offsetof(sensitivity_call_options, verbose)},
    {.name = "shapes", .kind = OPTION_SHAPES, .offset = offsetof(prune_sensitivity_options, shapes), .extra = offsetof(prune_sensitivity_options, shape_count)},
};
static const prune_sensitivity_options sensitivity_initial = PRUNE_SENSITIVITY_OPTIONS_INIT;
const option_set pl_sensitivity_set = {.name = "Model:sensitivity", .options = sensitivity_options_, .count = OPTION_COUNT_OF(sensitivity_options_),
    .size = sizeof(sensitivity_call_options), .initial = &sensitivity_initial, .struct_size = sizeof(prune_sensitivity_options)};

static const option guard_options_[] = {
    {.name = "data", .kind = OPTION_DATASET, .offset = offsetof(prune_guard, data)},
    {.name = "metric", .kind = OPTION_VALUE, .offset = offsetof(guard_options, metric)},
    {.name = "max_drop", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_guard, max_drop)},
    {.name = "bound", .kind = OPTION_NUMBER, .offset = offsetof(prune_guard, bound)},
    {.name = "lower_is_better", .kind = OPTION_FLAG, .offset = offsetof(prune_guard, lower_is_better)},
    {.name = "output", .kind = OPTION_TEXT, .offset = offsetof(prune_guard, output)},
};
static const prune_guard guard_initial = PRUNE_GUARD_INIT;
const option_set pl_guard_set = {.name = "guard", .options = guard_options_, .count = OPTION_COUNT_OF(guard_options_),
    .size = sizeof(guard_options), .initial = &guard_initial, .struct_size = sizeof(prune_guard)};

static const option target_options_[] = {
    {.name = "macs", .kind = OPTION_FRACTION, .offset = offsetof(target_options, macs)},
    {.name = "params", .kind = OPTION_FRACTION, .offset = offsetof(target_options, params)},
    {.name = "bytes", .kind = OPTION_FRACTION, .offset = offsetof(target_options, bytes)},
    {.name = "latency", .kind = OPTION_FRACTION, .offset = offsetof(target_options, latency)},
};
const option_set pl_target_set = {.name = "Model:prune target", .options = target_options_, .count = OPTION_COUNT_OF(target_options_),
    .size = sizeof(target_options)};

static const option schedule_options_[] = {
    {.name = "kind", .kind = OPTION_TEXT, .offset = offsetof(schedule_options, kind)},
    {.name = "steps", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(schedule_options, steps)},
};
const option_set pl_schedule_set = {.name = "Model:prune schedule", .options = schedule_options_, .count = OPTION_COUNT_OF(schedule_options_),
    .size = sizeof(schedule_options)};

static const option prune_options_[] = {
    {.name = "strategy", .kind = OPTION_TEXT, .offset = offsetof(prune_prune_options, strategy)},
    {.name = "criterion", .kind = OPTION_VALUE, .offset = offsetof(prune_call_options, criterion)},
    {.name = "granularity", .kind = OPTION_VALUE, .offset = offsetof(prune_call_options, granularity)},
    {.name = "allocation", .kind = OPTION_TEXT, .offset = offsetof(prune_prune_options, allocation)},
    {.name = "reconstruct", .kind = OPTION_TEXT, .offset = offsetof(prune_prune_options, reconstruct)},
    {.name = "cost", .kind = OPTION_TEXT, .offset = offsetof(prune_prune_options, cost)},
    {.name = "metric", .kind = OPTION_VALUE, .offset = offsetof(prune_call_options, metric)},
    {.name = "lower_is_better", .kind = OPTION_FLAG, .offset = offsetof(prune_prune_options, lower_is_better)},
    {.name = "shared", .kind = OPTION_TEXT, .offset = offsetof(prune_prune_options, shared)},
    {.name = "recipe", .kind = OPTION_TEXT, .offset = offsetof(prune_prune_options, recipe)},
    {.name = "rewind", .kind = OPTION_MODEL, .offset = offsetof(prune_prune_options, rewind)},
    {.name = "amount", .kind = OPTION_VALUE, .offset = offsetof(prune_call_options, amount)},
    {.name = "threshold", .kind = OPTION_NUMBER, .offset = offsetof(prune_prune_options, threshold)},
    {.name = "mode", .kind = OPTION_TEXT, .offset = offsetof(prune_prune_options, mode)},
    {.name = "device", .kind = OPTION_TEXT, .offset = offsetof(prune_prune_options, device)},
    {.name = "data", .kind = OPTION_DATASET, .offset = offsetof(prune_prune_options, data)},
    {.name = "validate", .kind = OPTION_VALUE, .offset = offsetof(prune_call_options, validate)},
    {.name = "schedule", .kind = OPTION_VALUE, .offset = offsetof(prune_call_options, schedule)},
    {.name = "recover", .kind = OPTION_TABLE, .offset = offsetof(prune_call_options, recover), .nested = &pl_recover_set},
    {.name = "train", .kind = OPTION_TABLE, .offset = offsetof(prune_call_options, train), .nested = &pl_train_set},
    {.name = "guard", .kind = OPTION_TABLE, .offset = offsetof(prune_call_options, guard), .nested = &pl_guard_set},
    {.name = "scope", .kind = OPTION_TEXTS, .offset = offsetof(prune_prune_options, scope), .extra = offsetof(prune_prune_options, scope_count)},
    {.name = "ignore", .kind = OPTION_TEXTS, .offset = offsetof(prune_prune_options, ignore), .extra = offsetof(prune_prune_options, ignore_count)},
    {.name = "batch_size", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_prune_options, batch_size)},
    {.name = "seed", .kind = OPTION_SEED, .offset = offsetof(prune_prune_options, seed)},
    {.name = "output", .kind = OPTION_TEXT, .offset = offsetof(prune_prune_options, output)},
    {.name = "target", .kind = OPTION_TABLE, .offset = offsetof(prune_call_options, target), .nested = &pl_target_set},
    {.name = "max_fraction", .kind = OPTION_FRACTION, .offset = offsetof(prune_prune_options, max_fraction)},
    {.name = "round_to", .kind = OPTION_VALUE, .offset = offsetof(prune_call_options, round_to)},
    {.name = "isomorphic", .kind = OPTION_FLAG, .offset = offsetof(prune_prune_options, isomorphic)},
    {.name = "width", .kind = OPTION_FLAG, .offset = offsetof(prune_prune_options, width)},
    {.name = "reduce", .kind = OPTION_TEXT, .offset = offsetof(prune_prune_options, reduce)},
    {.name = "normalize", .kind = OPTION_TEXT, .offset = offsetof(prune_prune_options, normalize)},
    {.name = "benchmark", .kind = OPTION_FLAG, .offset = offsetof(prune_prune_options, benchmark)},
    {.name = "reestimate", .kind = OPTION_FLAG, .offset = offsetof(prune_prune_options, reestimate)},
    {.name = "on_step", .kind = OPTION_FUNCTION, .offset = offsetof(prune_call_options, on_step)},
    {.name = "verbose", .kind = OPTION_FLAG, .offset = offsetof(prune_call_options, verbose)},
    {.name = "shapes", .kind = OPTION_SHAPES, .offset = offsetof(prune_prune_options, shapes), .extra = offsetof(prune_prune_options, shape_count)},
    {.name = "residual", .kind = OPTION_FLAG, .offset = offsetof(prune_prune_options, residual)},
};
static const prune_prune_options prune_initial = PRUNE_PRUNE_OPTIONS_INIT;
const option_set pl_prune_set = {.name = "Model:prune", .options = prune_options_, .count = OPTION_COUNT_OF(prune_options_),
    .size = sizeof(prune_call_options), .initial = &prune_initial, .struct_size = sizeof(prune_prune_options)};

static const option factorize_options_[] = {
    {.name = "data", .kind = OPTION_DATASET, .offset = offsetof(prune_factorize_options, data)},
    {.name = "energy", .kind = OPTION_FRACTION, .offset = offsetof(prune_factorize_options, energy)},
    {.name = "rank", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_factorize_options, rank)},
    {.name = "target", .kind = OPTION_TABLE, .offset = offsetof(factorize_call_options, target), .nested = &pl_target_set},
    {.name = "form", .kind = OPTION_TEXT, .offset = offsetof(prune_factorize_options, form)},
    {.name = "round_to", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_factorize_options, round_to)},
    {.name = "guard", .kind = OPTION_TABLE, .offset = offsetof(factorize_call_options, guard), .nested = &pl_guard_set},
    {.name = "scope", .kind = OPTION_TEXTS, .offset = offsetof(prune_factorize_options, scope), .extra = offsetof(prune_factorize_options, scope_count)},
    {.name = "ignore", .kind = OPTION_TEXTS, .offset = offsetof(prune_factorize_options, ignore), .extra = offsetof(prune_factorize_options, ignore_count)},
    {.name = "validate", .kind = OPTION_DATASET, .offset = offsetof(prune_factorize_options, validate)},
    {.name = "batch_size", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_factorize_options, batch_size)},
    {.name = "output", .kind = OPTION_TEXT, .offset = offsetof(prune_factorize_options, output)},
    {.name = "shapes", .kind = OPTION_SHAPES, .offset = offsetof(prune_factorize_options, shapes), .extra = offsetof(prune_factorize_options, shape_count)},
};
static const prune_factorize_options factorize_initial = PRUNE_FACTORIZE_OPTIONS_INIT;
const option_set pl_factorize_set = {.name = "Model:factorize", .options = factorize_options_, .count = OPTION_COUNT_OF(factorize_options_),
    .size = sizeof(factorize_call_options), .initial = &factorize_initial, .struct_size = sizeof(prune_factorize_options)};

static const option ensemble_options_[] = {
    {.name = "models", .kind = OPTION_VALUE, .required = true, .offset = offsetof(ensemble_call_options, models)},
    {.name = "method", .kind = OPTION_TEXT, .offset = offsetof(prune_ensemble_options, method)},
    {.name = "data", .kind = OPTION_DATASET, .offset = offsetof(prune_ensemble_options, data)},
    {.name = "epochs", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_ensemble_options, epochs)},
    {.name = "seed", .kind = OPTION_SEED, .offset = offsetof(prune_ensemble_options, seed)},
};
static const prune_ensemble_options ensemble_initial = PRUNE_ENSEMBLE_OPTIONS_INIT;
const option_set pl_ensemble_set = {.name = "prune.ensemble", .options = ensemble_options_, .count = OPTION_COUNT_OF(ensemble_options_),
    .size = sizeof(ensemble_call_options), .initial = &ensemble_initial, .struct_size = sizeof(prune_ensemble_options)};

static const option search_options_[] = {
    {.name = "model", .kind = OPTION_VALUE, .required = true, .offset = offsetof(search_call_options, model)},
    {.name = "data", .kind = OPTION_DATASET, .required = true, .offset = offsetof(prune_search_options, data)},
    {.name = "calibration", .kind = OPTION_DATASET, .offset = offsetof(prune_search_options, calibration)},
    {.name = "objective", .kind = OPTION_TEXT, .offset = offsetof(prune_search_options, objective)},
    {.name = "metric", .kind = OPTION_VALUE, .offset = offsetof(search_call_options, metric)},
    {.name = "lower_is_better", .kind = OPTION_FLAG, .offset = offsetof(prune_search_options, lower_is_better)},
    {.name = "max_drop", .kind = OPTION_NONNEGATIVE, .offset = offsetof(prune_search_options, max_drop)},
    {.name = "budget", .kind = OPTION_POSITIVE, .offset = offsetof(prune_search_options, budget)},
    {.name = "seed", .kind = OPTION_SEED, .offset = offsetof(prune_search_options, seed)},
    {.name = "output", .kind = OPTION_TEXT, .offset = offsetof(prune_search_options, output)},
    {.name = "on_step", .kind = OPTION_FUNCTION, .offset = offsetof(search_call_options, on_step)},
    {.name = "verbose", .kind = OPTION_FLAG, .offset = offsetof(search_call_options, verbose)},
    {.name = "shapes", .kind = OPTION_SHAPES, .offset = offsetof(prune_search_options, shapes), .extra = offsetof(prune_search_options, shape_count)},
};
static const prune_search_options search_initial = PRUNE_SEARCH_OPTIONS_INIT;
const option_set pl_search_set = {.name = "prune.search", .options = search_options_, .count = OPTION_COUNT_OF(search_options_),
    .size = sizeof(search_call_options), .initial = &search_initial, .struct_size = sizeof(prune_search_options)};

static const option quantize_options_[] = {
    {.name = "scheme", .kind = OPTION_TEXT, .offset = offsetof(prune_quantize_options, scheme)},
    {.name = "bits", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_quantize_options, bits)},
    {.name = "per_channel", .kind = OPTION_FLAG, .offset = offsetof(prune_quantize_options, per_channel)},
    {.name = "symmetric", .kind = OPTION_FLAG, .offset = offsetof(prune_quantize_options, symmetric)},
    {.name = "block_size", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_quantize_options, block_size)},
    {.name = "percentile", .kind = OPTION_POSITIVE, .offset = offsetof(prune_quantize_options, percentile)},
    {.name = "group_size", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_quantize_options, group_size)},
    {.name = "fisher", .kind = OPTION_FLAG, .offset = offsetof(prune_quantize_options, fisher)},
    {.name = "equalize", .kind = OPTION_FLAG, .offset = offsetof(prune_quantize_options, equalize)},
    {.name = "bias_correction", .kind = OPTION_FLAG, .offset = offsetof(prune_quantize_options, bias_correction)},
    {.name = "mixed", .kind = OPTION_FLAG, .offset = offsetof(prune_quantize_options, mixed)},
    {.name = "qat", .kind = OPTION_FLAG, .offset = offsetof(prune_quantize_options, qat)},
    {.name = "rounding", .kind = OPTION_TEXT, .offset = offsetof(prune_quantize_options, rounding)},
    {.name = "smooth", .kind = OPTION_FRACTION, .offset = offsetof(prune_quantize_options, smooth)},
    {.name = "learn_scales", .kind = OPTION_FLAG, .offset = offsetof(prune_quantize_options, learn_scales)},
    {.name = "keep_faster", .kind = OPTION_FLAG, .offset = offsetof(prune_quantize_options, keep_faster)},
    {.name = "bytes", .kind = OPTION_POSITIVE, .offset = offsetof(prune_quantize_options, bytes)},
    {.name = "calibration", .kind = OPTION_DATASET, .offset = offsetof(prune_quantize_options, calibration)},
    {.name = "calibrator", .kind = OPTION_TEXT, .offset = offsetof(prune_quantize_options, calibrator)},
    {.name = "format", .kind = OPTION_TEXT, .offset = offsetof(prune_quantize_options, format)},
    {.name = "validate", .kind = OPTION_DATASET, .offset = offsetof(prune_quantize_options, validate)},
    {.name = "guard", .kind = OPTION_TABLE, .offset = offsetof(quantize_call_options, guard), .nested = &pl_guard_set},
    {.name = "ignore", .kind = OPTION_TEXTS, .offset = offsetof(prune_quantize_options, ignore), .extra = offsetof(prune_quantize_options, ignore_count)},
    {.name = "batch_size", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(prune_quantize_options, batch_size)},
};
static const prune_quantize_options quantize_initial = PRUNE_QUANTIZE_OPTIONS_INIT;
const option_set pl_quantize_set = {.name = "Model:quantize", .options = quantize_options_, .count = OPTION_COUNT_OF(quantize_options_),
    .size = sizeof(quantize_call_options), .initial = &quantize_initial, .struct_size = sizeof(prune_quantize_options)};

static const option summary_options_[] = {
    {.name = "width", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(summary_options, width)},
    {.name = "color", .kind = OPTION_VALUE, .offset = offsetof(summary_options, color)},
    {.name = "file", .kind = OPTION_VALUE, .offset = offsetof(summary_options, file)},
    {.name = "shapes", .kind = OPTION_SHAPES, .offset = offsetof(summary_options, shapes), .extra = offsetof(summary_options, shape_count)},
};
const option_set pl_summary_set = {.name = "Model:summary", .options = summary_options_, .count = OPTION_COUNT_OF(summary_options_),
    .size = sizeof(summary_options)};

static const option text_options_[] = {
    {.name = "width", .kind = OPTION_COUNT, .least = 1, .offset = offsetof(text_options, width)},
    {.name = "color", .kind = OPTION_VALUE, .offset = offsetof(text_options, color)},
};
const option_set pl_text_set = {.name = "Report:to_text", .options = text_options_, .count = OPTION_COUNT_OF(text_options_),
    .size = sizeof(text_options)};

static const option split_options_[] = {
    {.name = "test", .kind = OPTION_FRACTION, .required = true, .offset = offsetof(split_options, test)},
    {.name = "seed", .kind = OPTION_SEED, .offset = offsetof(split_options, seed)},
};
const option_set pl_split_set = {.name = "Dataset:split", .options = split_options_, .count = OPTION_COUNT_OF(split_options_),
    .size = sizeof(split_options)};

static const option distributed_options_[] = {
    {.name = "timeout", .kind = OPTION_NONNEGATIVE, .offset = offsetof(distributed_options, timeout)},
    {.name = "plugin", .kind = OPTION_TEXT, .offset = offsetof(distributed_options, plugin)},
};
const option_set pl_distributed_set = {.name = "prune.distributed", .options = distributed_options_, .count = OPTION_COUNT_OF(distributed_options_),
    .size = sizeof(distributed_options)};

static const option idx_options_[] = {
    {.name = "images", .kind = OPTION_TEXT, .required = true, .offset = offsetof(idx_options, images)},
    {.name = "labels", .kind = OPTION_TEXT, .required = true, .offset = offsetof(idx_options, labels)},
};
const option_set pl_idx_set = {.name = "prune.data.idx", .options = idx_options_, .count = OPTION_COUNT_OF(idx_options_),
    .size = sizeof(idx_options)};

static const option npz_options_[] = {
    {.name = "x", .kind = OPTION_VALUE, .offset = offsetof(npz_options, x)},
    {.name = "y", .kind = OPTION_TEXT, .offset = offsetof(npz_options, y)},
};
const option_set pl_npz_set = {.name = "prune.data.npz", .options = npz_options_, .count = OPTION_COUNT_OF(npz_options_),
    .size = sizeof(npz_options)};

static const option npy_options_[] = {
    {.name = "y", .kind = OPTION_TEXT, .offset = offsetof(npy_options, y)},
};
const option_set pl_npy_set = {.name = "prune.data.npy", .options = npy_options_, .count = OPTION_COUNT_OF(npy_options_),
    .size = sizeof(npy_options)};

static const option csv_options_[] = {
    {.name = "label", .kind = OPTION_VALUE, .offset = offsetof(csv_options, label)},
};
const option_set pl_csv_set = {.name = "prune.data.csv", .options = csv_options_, .count = OPTION_COUNT_OF(csv_options_),
    .size = sizeof(csv_options)};

static const option normalize_options_[] = {
    {.name = "mean", .kind = OPTION_VALUE, .required = true, .offset = offsetof(normalize_options, mean)},
    {.name = "std", .kind = OPTION_VALUE, .required = true, .offset = offsetof(normalize_options, std)},
};
const option_set pl_normalize_set = {.name = "Dataset:normalize", .options = normalize_options_, .count = OPTION_COUNT_OF(normalize_options_),
    .size = sizeof(normalize_options)};

static const option_set *const sets[] = {
    &pl_images_set,
    &pl_wav_set,
    &pl_load_set,
    &pl_weights_set,
    &pl_stats_set,
    &pl_zoo_set,
    &pl_group_set,
    &pl_augment_set,
    &pl_regularizer_set,
    &pl_fit_set,
    &pl_recover_set,
    &pl_train_set,
    &pl_evaluate_set,
    &pl_benchmark_set,
    &pl_differences_set,
    &pl_loss_set,
    &pl_significance_set,
    &pl_sensitivity_set,
    &pl_guard_set,
    &pl_target_set,
    &pl_schedule_set,
    &pl_prune_set,
    &pl_factorize_set,
    &pl_ensemble_set,
    &pl_search_set,
    &pl_quantize_set,
    &pl_summary_set,
    &pl_text_set,
    &pl_split_set,
    &pl_distributed_set,
    &pl_idx_set,
    &pl_npz_set,
    &pl_npy_set,
    &pl_csv_set,
    &pl_normalize_set,
};

const option_set *const *pl_option_sets(size_t *out_count) {
  *out_count = OPTION_COUNT_OF(sets);
  return sets;
}
