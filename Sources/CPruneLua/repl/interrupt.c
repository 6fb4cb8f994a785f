/* Ctrl-C. The handler only stores flags, asks libprune to cancel and sets a hook: all safe in a signal handler. */
#define _GNU_SOURCE /* ppoll */
#include "shell.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

/* This many Ctrl-C, each within two seconds of the one before, end the program. */
enum { PRESSES_THAT_END = 5 };

static lua_State *volatile watched_state;
static prune_context *volatile watched_context;
static volatile sig_atomic_t evaluating, prompting, pressed, in_a_row, prompt_pressed;
static volatile long long last_press_ms;
/* What the thread blocks outside the prompt. */
static sigset_t usual_mask;
static struct sigaction before_evaluation, before_prompt;

static long long now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (long long)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void stop_lua(lua_State *L, lua_Debug *unused) {
  (void)unused;
  lua_sethook(L, NULL, 0, 0);
  pl_error(L, "cancelled", NULL, NULL, "interrupted");
}

/* Stays set: what catches the error meets the next one at once, until nothing is left that catches. */
static void stop_lua_for_good(lua_State *L, lua_Debug *unused) {
  (void)unused;
  pl_error(L, "cancelled", NULL, NULL, "interrupted");
}

static void say(const char *text, size_t size) {
  ssize_t written = write(STDERR_FILENO, text, size);
  (void)written;
}

static void on_interrupt(int signal) {
  (void)signal;
  int saved_errno = errno;
  if (evaluating) {
    long long now = now_ms();
    /* Nothing answers, as a loop in a coroutine does not: there is no other way out. */
    in_a_row = pressed && now - last_press_ms < 2000 ? in_a_row + 1 : 1;
    if (in_a_row >= PRESSES_THAT_END) {
      say("\n", 1);
      _exit(130);
    }
    last_press_ms = now;
    prune_context_request_cancel(watched_context);
    /* Instructions alone, the second time: a handler of errors in C is called undisturbed. */
    if (pressed) lua_sethook(watched_state, stop_lua_for_good, LUA_MASKCOUNT, 1);
    else if (pl_running_calls == 0)
      lua_sethook(watched_state, stop_lua, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
    pressed = 1;
  } else if (prompting) {
    prompt_pressed = 1;
  }
  errno = saved_errno;
}

/* A stack for the handler: what is interrupted may have its own stack pointer anywhere. Kept for as long as the thread lives. */
static void give_stack(void) {
  static char stack[1 << 16];
  stack_t present;
  if (sigaltstack(NULL, &present) == 0 && !(present.ss_flags & SS_DISABLE)) return;
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&alternate, NULL);
}

static void install(struct sigaction *before) {
  struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_ONSTACK};
  give_stack();
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, before);
}

void shell_watch_interrupts(lua_State *L, prune_context *context) {
  watched_state = L;
  watched_context = context;
  pressed = in_a_row = 0;
  evaluating = 1;
  install(&before_evaluation);
}

bool shell_unwatch_interrupts(lua_State *L) {
  evaluating = 0;
  sigaction(SIGINT, &before_evaluation, NULL);
  lua_sethook(L, NULL, 0, 0);
  prune_context_clear_cancel(watched_context);
  return pressed;
}

static void block_interrupts(sigset_t *before) {
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  pthread_sigmask(SIG_BLOCK, &interrupt, before);
}

void prune_shell_prompt_begin(void) {
  prompt_pressed = 0;
  prompting = 1;
  block_interrupts(&usual_mask);
  install(&before_prompt);
}

int prune_shell_prompt_wait(void) {
  /* Ctrl-C gets through here and nowhere else: between readline's last look for signals and the wait it would stay unseen until
     the next key. Readline leaves the signal unblocked when it has passed one on. */
  block_interrupts(NULL);
  if (prompt_pressed) return 0;
  struct pollfd key = {.fd = STDIN_FILENO, .events = POLLIN};
  return ppoll(&key, 1, NULL, &usual_mask);
}

void prune_shell_prompt_end(void) {
  /* What is pending still goes to our handler. */
  pthread_sigmask(SIG_SETMASK, &usual_mask, NULL);
  prompting = 0;
  sigaction(SIGINT, &before_prompt, NULL);
}

int prune_shell_prompt_interrupted(void) {
  int result = prompt_pressed;
  prompt_pressed = 0;
  return result;
}
