/*
 * faults.h: for unit tests that ask for faults. A build without fault points
 * says that the test was left out and ends it.
 */
#ifndef PROVOST_TESTS_SUPPORT_FAULTS_H
#define PROVOST_TESTS_SUPPORT_FAULTS_H

#include "base/fault.h"

#define NEEDS_FAULT_POINTS                                                                              \
    do {                                                                                                \
        if (!fault_built) {                                                                             \
            print_message("# SKIP %s: configure with --enable-fault-points\n", __func__);               \
            return;                                                                                     \
        }                                                                                               \
    } while (0)

#endif
