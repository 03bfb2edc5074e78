#include "base/problem.h"

#include "base/str.h"

void problems_add(struct problems *problems, const char *file, int line, int column, const char *format, ...)
{
    struct buf text = { 0 };
    va_list args;

    struct problem *list = realloc(problems->list, (problems->count + 1) * sizeof(*list));
    if (list == NULL)
        abort(); /* only at start-up and in tools: an unseen mistake would be worse */
    problems->list = list;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    list[problems->count++] = (struct problem){ str_dup(file), line, column, buf_take(&text) };
}

void problems_print(const struct problems *problems, FILE *stream)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->list[i];
        if (problem->file != NULL)
            fprintf(stream, "%s:", problem->file);
        if (problem->line > 0)
            fprintf(stream, "%d:", problem->line);
        if (problem->line > 0 && problem->column > 0)
            fprintf(stream, "%d:", problem->column);
        fprintf(stream, "%s%s\n", problem->file != NULL ? " " : "", problem->text);
    }
}

void problems_free(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->list[i].file);
        free(problems->list[i].text);
    }
    free(problems->list);
    *problems = (struct problems){ 0 };
}
