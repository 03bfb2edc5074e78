/*
 * power_disk.h: a disk under SQLite whose power can be cut: what was not
 * synced is then gone, in whole or in part.
 *
 * disk_start() makes it SQLite's default VFS. Files that are opened while it
 * records are written through to the real ones, for the program to go on,
 * and kept a second time as the disk has them: what was synced, and a list
 * of writes and truncations since. At random operations the power is cut as
 * if by a copy: the files as the disk would show them afterwards are put into
 * a folder of their own, and the program goes on, to be cut again.
 *
 * Of what was not synced a cut keeps nothing, a beginning, any choice, or any
 * choice torn at sectors. A file that is new is there for certain once a log
 * or journal beside it was synced for the first time, which is when SQLite
 * syncs their folder; one that was deleted without a sync may still be there.
 *
 * Calling sequence
 *     disk_start(folder, seed, one_in, before_cut, arg)
 *     … open, write, close …
 *     for each cut < disk_stop(): disk_cut_folder(cut, …) has the files
 * Threads: the recording may go on in many; start and stop in one, when no
 * file is open. Ownership: nothing is handed out. Errors end the test.
 */
#ifndef PROVOST_TESTS_SUPPORT_POWER_DISK_H
#define PROVOST_TESTS_SUPPORT_POWER_DISK_H

#include <stddef.h>
#include <stdint.h>

/* Told before a cut is taken, in the middle of an operation: what counts as promised by now. It must not use SQLite. */
typedef void disk_before_cut(void *arg, int cut);

/* Cuts go to FOLDER/cut-0, …; on average one of `one_in` operations is one. */
void disk_start(const char *folder, uint64_t seed, int one_in, disk_before_cut *before_cut, void *arg);
/* How many cuts there were. From now on files are not recorded. */
int disk_stop(void);
void disk_cut_folder(int cut, char path[static 128]);

#endif
