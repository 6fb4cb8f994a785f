/* A process that has used several threads forks; its child uses the library, too. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static void work(prune_model *model, prune_dataset *data) {
  prune_report *report = NULL;
  prune_fit_options fit = PRUNE_FIT_OPTIONS_INIT;
  fit.epochs = 1;
  OK(prune_model_fit(model, data, &fit, &report));
  prune_report_free(report);
  prune_evaluate_options evaluate = PRUNE_EVALUATE_OPTIONS_INIT;
  OK(prune_model_evaluate(model, data, &evaluate, &report));
  prune_report_free(report);
}

int main(void) {
  prune_context *context = NULL;
  prune_model *model = NULL;
  prune_dataset *data = NULL;
  OK(prune_context_create(&context));
  OK(prune_context_set_threads(context, 2));
  prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
  const int64_t input[] = {1, 8, 8};
  zoo.input = input;
  zoo.input_rank = 3;
  OK(prune_zoo_create(context, "lenet5", &zoo, &model));
  OK(prune_dataset_digits(context, &data));
  work(model, data);
  fflush(NULL);
  for (int round = 0; round < 3; round++) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      alarm(60);
      if (round == 1) OK(prune_context_set_threads(context, 2));
      work(model, data);
      _exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    work(model, data);
  }
  prune_dataset_free(data);
  prune_model_free(model);
  prune_context_free(context);
  return check_end();
}
