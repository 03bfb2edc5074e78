/*
 * log.h: what the program itself has to say (not the status log, which is
 * record/status_log.h). One line per message to standard error: with a
 * "<N>" prefix where systemd reads it (sd-daemon(3)), else with the time.
 *
 * Only stages that decide call this; library code returns errors. A value
 * never is a secret. Control characters are escaped.
 * Threads: all may call it; a line is one write(2).
 */
#ifndef PROVOST_BASE_LOG_H
#define PROVOST_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

void log_set_level(enum log_level most);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
