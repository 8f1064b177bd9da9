// A plugin that prints as C programs do, more than a stream takes at once.

#include "tidegate.h"
#include <stdio.h>

void handle(const tg_event *event, tg_answer *answer) {
  printf("told of %.*s\n", (int)event->kind.len, event->kind.ptr);
  for (int line = 0; line < 100; line += 1) printf("%099d\n", line);
  fprintf(stderr, "and that is %s\n", "all");
  tg_note(answer, tg("printed"));
}
